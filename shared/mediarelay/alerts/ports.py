"""The topic of the alerts and their log, as ports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.alerts.contract import Alert


class AlertTopic(Protocol):
    """ProviderAlerts."""

    def publish(self, alert: Alert) -> None:
        """Publish an alert. Raises `StoreUnavailable`."""


class AlertLog(Protocol):
    """The alerts that have been sent. All raise `StoreUnavailable`."""

    def has(self, alert_id: str) -> bool:
        """Tell whether it has been sent."""

    def add(self, alert: Alert) -> None:
        """Note that it was sent."""

    def latest(self, limit: int) -> Sequence[Alert]:
        """Read the newest alerts, newest first."""
