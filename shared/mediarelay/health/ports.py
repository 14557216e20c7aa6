"""What the health services need of the world. Adapters implement these; tests hold fakes to the same contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # as in `ports`
    from mediarelay.contracts.alert import Alert
    from mediarelay.contracts.health import HealthRecord, Override
    from mediarelay.contracts.pool import PoolState
    from mediarelay.contracts.tokens import Token
    from mediarelay.core.tally import Bucket
    from mediarelay.core.trial import Trial


@dataclass(slots=True)
class StoredBucket:
    """A bucket as read; `version` is 0 for one that is not stored yet."""

    bucket: Bucket
    version: int


class BucketStore(Protocol):
    """The ten-second buckets. Both raise `StoreUnavailable`."""

    def load(self, provider: str, *, since: int) -> Mapping[int, StoredBucket]:
        """Those that start at *since* (unix seconds) or later, by start; read consistently."""

    def save(self, provider: str, stored: StoredBucket) -> bool:
        """Write it as the version after the one read; False when somebody else was faster."""


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


@dataclass(frozen=True, slots=True)
class Outlook:
    """What one look tells of all providers, by name."""

    records: Mapping[str, HealthRecord]
    trials: Mapping[str, Trial]


class HealthBoard(Protocol):
    """What workers share of the providers. Both raise `StoreUnavailable`."""

    def look(self) -> Outlook:
        """Every record and every trial, in one read that may lag behind by moments."""

    def swap(self, provider: str, before: Trial, after: Trial) -> Trial | None:
        """Write *after*, as the version that follows *before*'s; None when written, otherwise what stands there."""


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


class PoolStates(Protocol):
    """What the sweep last saw of each vendor's pool. Both raise `StoreUnavailable`."""

    def load(self) -> Mapping[str, PoolState]:
        """By vendor."""

    def save(self, state: PoolState) -> None:
        """Replace what was there."""


class AlertPath(Protocol):
    """The way that alerts take, from a write to the function that publishes them."""

    def beat(self, now: float) -> None:
        """Send something along it that tells nobody anything. Raises `StoreUnavailable`."""


class TokenSource(Protocol):
    """The API's tokens."""

    def load(self) -> Sequence[Token]:
        """All of them, cached for a while. Raises `StoreUnavailable`."""
