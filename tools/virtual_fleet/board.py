"""What the fleet's workers share, as the table gives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from mediarelay.health.circuit.half_open import Trial
from mediarelay.health.circuit.ports import Outlook
from mediarelay.health.contract import HealthRecord


class Records(Protocol):
    """Where the records come from."""

    def load(self) -> Mapping[str, HealthRecord]:
        """All of them, by provider."""


@dataclass
class Board:
    """Implements `health.circuit.ports.HealthBoard`."""

    records: Records
    _trials: dict[str, Trial] = field(default_factory=dict)

    def look(self) -> Outlook:
        """See `health.circuit.ports.HealthBoard.look`."""
        return Outlook(self.records.load(), dict(self._trials))

    def swap(self, provider: str, before: Trial, after: Trial) -> Trial | None:
        """See `health.circuit.ports.HealthBoard.swap`."""
        stands = self._trials.get(provider, Trial())
        if stands.version != before.version:
            return stands
        self._trials[provider] = replace(after, version=before.version + 1)
        return None
