"""The fleet's trial permits, as the table gives them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Permits:
    """Implements `health_ports.TrialPermits`."""

    _taken: dict[str, tuple[str, float]] = field(default_factory=dict)

    def take(self, provider: str, holder: str, *, now: float, seconds: float) -> float | None:
        """See `health_ports.TrialPermits.take`."""
        _, until = self._taken.get(provider, ("", 0.0))
        if until > now:
            return until
        self._taken[provider] = (holder, now + seconds)
        return None

    def give_back(self, provider: str, holder: str, *, until: float) -> None:
        """See `health_ports.TrialPermits.give_back`."""
        if self._taken.get(provider, ("", 0.0))[0] == holder:
            self._taken[provider] = (holder, until)
