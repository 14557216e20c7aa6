"""What workers share of the providers' circuits, as a port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from mediarelay.vocabulary.frozen import frozen

if TYPE_CHECKING:
    from mediarelay.health.circuit.half_open import HalfOpenPermit
    from mediarelay.health.contract import HealthRecord


@frozen
class HealthSnapshot:
    """What one read returns of all providers, by name."""

    records: Mapping[str, HealthRecord]
    trials: Mapping[str, HalfOpenPermit]


class SharedHealth(Protocol):
    """What workers share of the providers. Both raise `StoreUnavailable`."""

    def look(self) -> HealthSnapshot:
        """Read every record and every half-open permit at once; the read may lag behind by moments."""

    def swap(self, provider: str, before: HalfOpenPermit, after: HalfOpenPermit) -> HalfOpenPermit | None:
        """Write *after* as the version that follows *before*. Returns None if written, otherwise what is there."""
