"""What the health services need of the world. Adapters implement these; tests hold fakes to the same contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # as in `ports`
    from mediarelay.health.contract import HealthRecord, Override


class HealthStore(Protocol):
    """The health records. All raise `StoreUnavailable`."""

    def load(self) -> Mapping[str, HealthRecord]:
        """Every record, by provider."""

    def get(self, provider: str) -> HealthRecord | None:
        """One record, read consistently."""

    def save(self, record: HealthRecord) -> bool:
        """Write it as the version after its own; False when somebody else was faster."""


class OverrideStore(Protocol):
    """What operators have forced. All raise `StoreUnavailable`."""

    def load(self) -> Sequence[Override]:
        """Every override, those that have expired too until they are swept."""

    def put(self, override: Override) -> None:
        """Replace what was forced on the same subject."""

    def delete(self, subject: str) -> bool:
        """Whether there was one."""


class AlertPath(Protocol):
    """The way that alerts take, from a write to the function that publishes them."""

    def keep_warm(self, now: float) -> None:
        """Send something along it that tells nobody anything. Raises `StoreUnavailable`."""
