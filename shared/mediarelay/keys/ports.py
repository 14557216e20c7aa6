"""What the key pools need of the world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.keys.contract import PoolState
    from mediarelay.keys.parsing import ApiKey
    from mediarelay.keys.states import KeyVerdict


class KeySource(Protocol):
    """Where the keys come from."""

    def load(self) -> Mapping[str, tuple[ApiKey, ...]]:
        """The keys by vendor, cached for a while. Raises `StoreUnavailable`."""

    def faults(self) -> Mapping[str, str]:
        """What is wrong with the entry of a vendor, as of the last load: the variable, the field, never a value."""


class KeyStates(Protocol):
    """Key verdicts of all workers, in the Telemetry table. Both raise `StoreUnavailable`."""

    def load(self, vendor: str) -> Sequence[KeyVerdict]:
        """What the workers know of this vendor's keys."""

    def save(self, verdict: KeyVerdict) -> None:
        """Publish a verdict unless a newer one is there."""


class PoolStates(Protocol):
    """What the sweep last saw of each vendor's pool. Both raise `StoreUnavailable`."""

    def load(self) -> Mapping[str, PoolState]:
        """By vendor."""

    def save(self, state: PoolState) -> None:
        """Replace what was there."""


class VerdictWriter(Protocol):
    """Where this worker's verdicts on keys go; never delays a result."""

    def verdicts(self, verdicts: Iterable[KeyVerdict]) -> None:
        """Publish key verdicts soon."""
