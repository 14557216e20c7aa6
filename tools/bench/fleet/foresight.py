"""What the oracle knows, and nobody else."""

from __future__ import annotations

from heapq import heapreplace

from tools.bench.fleet.scenario import Scenario


class Buckets:
    """The vendor's buckets from within, and what oracles are about to take of them; seconds from the start."""

    def __init__(self, scenario: Scenario) -> None:
        self._interval = 1.0 / scenario.rate
        self._tolerance = (scenario.burst - 1) * self._interval
        self._dues = [(0.0, account) for account in range(scenario.accounts)]  # a heap: when the next token is due

    def take(self, now: float) -> tuple[int, float]:
        """The account whose next token comes first, of several there now the fullest; and when."""
        due, account = self._dues[0]
        heapreplace(self._dues, (max(due, now) + self._interval, account))
        return account, max(now, due - self._tolerance)
