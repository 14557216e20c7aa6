"""What the fleet's workers share, as the table gives it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mediarelay.core.trial import Trial
from mediarelay.health_ports import Outlook
from tools.virtual_fleet.telemetry import Telemetry


@dataclass
class Board:
    """Implements `health_ports.HealthBoard`."""

    telemetry: Telemetry
    _trials: dict[str, Trial] = field(default_factory=dict)

    def look(self) -> Outlook:
        """See `health_ports.HealthBoard.look`."""
        return Outlook(self.telemetry.load(), dict(self._trials))

    def swap(self, provider: str, before: Trial, after: Trial) -> Trial | None:
        """See `health_ports.HealthBoard.swap`."""
        stands = self._trials.get(provider, Trial())
        if stands.version != before.version:
            return stands
        self._trials[provider] = replace(after, version=before.version + 1)
        return None
