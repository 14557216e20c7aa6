"""The topic of the alerts and their log, as ports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.alerts.contract import Alert
    from mediarelay.alerts.pairing import IncidentState


class AlertTopic(Protocol):
    """ProviderAlerts."""

    def publish(self, alert: Alert) -> None:
        """Publish an alert. Raises `StoreUnavailable`."""


class AlertLog(Protocol):
    """The alerts that have been sent. All raise `StoreUnavailable`."""

    def add(self, alert: Alert) -> None:
        """Note that it was sent."""

    def latest(self, limit: int) -> Sequence[Alert]:
        """Read the newest alerts, newest first."""


class IncidentStates(Protocol):
    """What people know of each subject. All raise `StoreUnavailable`."""

    def load(self) -> Sequence[IncidentState]:
        """Read the states of all subjects of which something was heard lately."""

    def get(self, subject: str) -> IncidentState | None:
        """Read one, consistently."""

    def save(self, state: IncidentState, *, now: float) -> bool:
        """Write it as the version after its own. Returns False when another writer was faster."""

    def claim(self, topic: str, *, now: float, seconds: float) -> bool:
        """Claim the next message on *topic*. Returns False when there was one less than so many seconds ago."""
