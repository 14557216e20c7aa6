"""Health records, overrides and the way of the alerts, as ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # an import of a port brings no contract along
    from mediarelay.health.contract import HealthRecord, Override


class HealthStore(Protocol):
    """The health records. All raise `StoreUnavailable`."""

    def load(self) -> Mapping[str, HealthRecord]:
        """Read every record, by provider."""

    def get(self, provider: str) -> HealthRecord | None:
        """Read one record, consistently."""

    def save(self, record: HealthRecord) -> bool:
        """Write it as the version after its own. Returns False when another writer was faster."""


class OverrideStore(Protocol):
    """What operators have forced. All raise `StoreUnavailable`."""

    def load(self) -> Sequence[Override]:
        """Read every override, expired ones included until they are swept."""

    def put(self, override: Override) -> None:
        """Replace what was forced on the same subject."""

    def delete(self, subject: str) -> bool:
        """Delete an override. Returns whether there was one."""


class AlertPath(Protocol):
    """The path of the alerts, from a write to the function that publishes them."""

    def keep_warm(self, now: float) -> None:
        """Keep the alert function warm by a write that makes no alert. Raises `StoreUnavailable`."""
