"""What telling operators needs of the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.alerts.contract import Alert


class AlertTopic(Protocol):
    """ProviderAlerts."""

    def publish(self, alert: Alert) -> None:
        """Raises `StoreUnavailable`."""


class AlertLog(Protocol):
    """The alerts that have been sent. All raise `StoreUnavailable`."""

    def has(self, alert_id: str) -> bool:
        """Whether it has been sent."""

    def add(self, alert: Alert) -> None:
        """Note that it was."""

    def latest(self, limit: int) -> Sequence[Alert]:
        """The newest first."""
