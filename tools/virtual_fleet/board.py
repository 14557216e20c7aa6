"""What the fleet's workers share, as the table gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from mediarelay.health.circuit.half_open import HalfOpenPermit
from mediarelay.health.circuit.ports import HealthSnapshot
from mediarelay.health.contract import HealthRecord


class Records(Protocol):
    """Where the records come from."""

    def load(self) -> Mapping[str, HealthRecord]:
        """All of them, by provider."""


@dataclass
class Board:
    """Implements `health.circuit.ports.SharedHealth`."""

    records: Records
    _trials: dict[str, HalfOpenPermit] = field(default_factory=dict)

    def look(self) -> HealthSnapshot:
        """See `health.circuit.ports.SharedHealth.look`."""
        return HealthSnapshot(self.records.load(), dict(self._trials))

    def swap(self, provider: str, before: HalfOpenPermit, after: HalfOpenPermit) -> HalfOpenPermit | None:
        """See `health.circuit.ports.SharedHealth.swap`."""
        stands = self._trials.get(provider, HalfOpenPermit())
        if stands.version != before.version:
            return stands
        self._trials[provider] = replace(after, version=before.version + 1)
        return None
