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
        """Read the keys by vendor, cached for a while. Raises `StoreUnavailable`."""

    def faults(self) -> Mapping[str, str]:
        """Return what is wrong with the entries of vendors, as of the last load: variable and field, never a value."""

    def beside(self, name: str) -> object:
        """Return what stands beside the keys under this name, as of the last load; None when nothing does."""


class KeyStates(Protocol):
    """Key verdicts of all workers, in the Telemetry table. Both raise `StoreUnavailable`."""

    def load(self, vendor: str) -> Sequence[KeyVerdict]:
        """Read what the workers know of this vendor's keys."""

    def save(self, verdict: KeyVerdict) -> None:
        """Publish a verdict unless a newer one is there."""


class PoolStates(Protocol):
    """The state of each vendor's pool as the sweep last saw it. Both raise `StoreUnavailable`."""

    def load(self) -> Mapping[str, PoolState]:
        """Read the states, by vendor."""

    def save(self, state: PoolState) -> None:
        """Replace the vendor's state."""


class VerdictWriter(Protocol):
    """Publishes this worker's verdicts on keys; never delays a result."""

    def verdicts(self, verdicts: Iterable[KeyVerdict]) -> None:
        """Publish key verdicts soon."""
