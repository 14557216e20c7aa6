"""The accounts of a run: in the secret, and at the simulated vendors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mediarelay.keys.parsing import CREDENTIALS, ApiKey, InvalidKeys, keys_from
from mediarelay.providers.credentials import ApiKeys
from tools.simulation.scenario import Account, Scenario, UnusableScenario
from tools.simulation.vendors.truth import each_account
from tools.simulator.config import AccountConfig, SimulatorConfig


class Accounts:
    """By vendor, each with the number by which a scenario names it."""

    def __init__(self, scenario: Scenario) -> None:
        self._all = {vendor: each_account(pool) for vendor, pool in scenario.pools.items()}
        self._removed: set[tuple[str, int]] = set()

    def of(self, vendor: str) -> Sequence[Account]:
        """Return all that there ever were."""
        return self._all[vendor]

    def add(self, vendor: str, account: Account) -> None:
        """Have one more."""
        self._all[vendor].append(account)

    def remove(self, vendor: str, number: int) -> None:
        """Take one out of the secret; the vendor goes on knowing it."""
        self._removed.add((vendor, number))

    def in_the_secret(self) -> Mapping[str, tuple[ApiKey, ...]]:
        """Return the keys as the shipped parser reads them from the secret."""
        values: dict[str, Any] = {}
        for vendor, accounts in self._all.items():
            source = CREDENTIALS[vendor]
            if not isinstance(source, ApiKeys):
                raise UnusableScenario(f"pools.{vendor}: the vendor has no keys")
            values[source.variables[0]] = [
                {"key": key, "account": _name(number), **declared(account)}
                for number, account in enumerate(accounts)
                if (vendor, number) not in self._removed
                for key in _keys(vendor, number, account)
            ]
        try:
            return keys_from(values)
        except InvalidKeys as error:
            raise UnusableScenario(f"pools: no secret has this: {error}") from None

    def at_the_vendors(self) -> SimulatorConfig:
        """Return the accounts as the simulator knows them: without limits, which are the run's own."""
        vendors = {
            vendor: {
                str(number): AccountConfig(keys=_keys(vendor, number, account))
                for number, account in enumerate(accounts)
            }
            for vendor, accounts in self._all.items()
        }
        return SimulatorConfig(vendors=vendors, latency={})


def declared(account: Account) -> dict[str, Any]:
    """Return what the secret says of an account, without what it does not say."""
    fields = account.model_dump(include={"weight", "rpm", "burst", "concurrency"})
    return {name: value for name, value in fields.items() if value is not None}


def _name(number: int) -> str:
    return f"account {number:03d}"


def _keys(vendor: str, number: int, account: Account) -> tuple[str, ...]:
    return tuple(f"sim-{vendor}-key-{number}-{each}" for each in range(account.keys))
