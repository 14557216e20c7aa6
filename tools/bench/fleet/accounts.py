"""The accounts of a scenario, as the workers are told of them."""

from __future__ import annotations

import math

from mediarelay.limits.local_view import Account
from mediarelay.vocabulary.limit import Limit
from tools.bench.fleet.scenario import Scenario


def accounts_of(scenario: Scenario) -> list[Account]:
    """All of them, with all their keys."""
    limit = Limit(scenario.told or scenario.rate, scenario.burst) if scenario.declared else None
    if scenario.slots is not None and scenario.declared:
        limit = Limit(math.inf, 1, scenario.slots)
    keys = range(scenario.keys_per_account)
    return [
        Account(f"{number:03d}", tuple((f"{number}.{each}", 0.0) for each in keys), limit)
        for number in range(scenario.accounts)
    ]
