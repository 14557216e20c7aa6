"""What the secret declares of the rate, by account."""

from __future__ import annotations

import pytest

from mediarelay.keys.ledger import KeyEntry
from mediarelay.keys.pool import declared_rates


def key(name: str, account: str, rpm: float | None, **fields: int) -> KeyEntry:
    return KeyEntry(name, "openai", account=account, rpm=rpm, **fields)


def test_the_lowest_rate_of_an_accounts_keys_is_its_own() -> None:
    keys = [key("1", "a", 600), key("2", "a", 300), key("3", "b", 120)]
    assert declared_rates(keys) == pytest.approx({"a": 300.0, "b": 120.0})


def test_accounts_without_a_rate_declare_none() -> None:
    assert declared_rates([key("1", "a", None), key("2", "b", None, concurrency=5)]) == {}
