"""The oracle against cases that can be computed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tools.simulation.arrivals import Request, requests_of
from tools.simulation.oracle import Oracle
from tools.simulation.scenario import Scenario, read_scenario


def scenario(text: str) -> Scenario:
    return read_scenario(text)


def asked(*moments: float, service: float = 1.0, timeout: float = 1000.0, text: str = "x") -> list[Request]:
    return [
        Request(number, at, at + timeout, service, text, None, f"body {number}") for number, at in enumerate(moments)
    ]


def served(pool: str, requests: list[Request], threads: int = 100, **others: str) -> Mapping[int, float]:
    fields = "".join(f', "{name}": {value}' for name, value in others.items())
    return Oracle(scenario(f'{{"pools": {{"openai": {pool}}}{fields}}}'), threads).run(requests)


ONE = '{"accounts": [{"repeat": 1}], "vendor": {"rate": 1.0, "burst": 1}}'
UNLIMITED = '{"vendor": {"limit": "none"}}'


def test_a_bucket_of_one_serves_one_a_second() -> None:
    assert list(served(ONE, asked(0.0, 0.0, 0.0)).values()) == [1.0, 2.0, 3.0]


def test_two_accounts_serve_twice_as_many() -> None:
    two = ONE.replace('"repeat": 1', '"repeat": 2')
    assert list(served(two, asked(0.0, 0.0, 0.0, 0.0)).values()) == [1.0, 1.0, 2.0, 2.0]


def test_without_a_limit_the_threads_are_what_there_is() -> None:
    assert list(served(UNLIMITED, asked(0.0, 0.0, 0.0, 0.0), threads=2).values()) == [1.0, 1.0, 2.0, 2.0]


def test_as_many_calls_as_there_are_slots_run_at_once() -> None:
    slots = '{"accounts": [{"repeat": 1, "concurrency": 2}], "vendor": {"limit": "concurrency"}}'
    assert list(served(slots, asked(0.0, 0.0, 0.0, 0.5)).values()) == [1.0, 1.0, 2.0, 2.0]


def test_who_expires_first_is_served_first_and_who_expired_is_not() -> None:
    late, soon = asked(0.0, timeout=50.0)[0], asked(0.0, 0.0, timeout=1.5)[1]
    hopeless = Request(2, 0.0, 0.5, 1.0, "x", None, "body 2")
    assert served(ONE, [late, soon, hopeless]) == {2: 1.0, 1: 2.0, 0: 3.0}
    assert served(ONE, [late, *asked(0.0, 0.0, 0.0, timeout=0.9)[1:]]) == {1: 1.0, 0: 2.0}


def test_characters_are_what_is_counted_where_they_are() -> None:
    pool = '{"accounts": [{"repeat": 1}], "vendor": {"counts": "characters", "rate": 10.0, "burst": 100}}'
    assert list(served(pool, asked(0.0, 0.0, 0.0, text="c" * 50)).values()) == [1.0, 1.0, 6.0]


def test_a_broken_provider_serves_again_when_it_is_healed() -> None:
    fault = '[{"from": 0, "to": 5, "provider": "openai-tts", "answer": "500"}]'
    assert list(served(UNLIMITED, asked(1.0, 6.0), faults=fault).values()) == [6.0, 7.0]


def test_a_text_that_nobody_serves_stands_in_nobodys_way() -> None:
    fault = '[{"provider": "openai-tts", "answer": "500", "text": "poison"}]'
    requests = [*asked(0.0, text="poison"), *asked(0.0, 0.0)[1:]]
    assert served(ONE, requests, faults=fault) == {1: 1.0}


def test_accounts_come_and_go_with_the_changes() -> None:
    change = '[{"at": 3, "vendor": "openai", "remove_account": 0}, {"at": 9, "vendor": "openai", "add_account": {}}]'
    found = served(ONE, asked(*[0.0] * 5), changes=change)
    assert list(found.values()) == [1.0, 2.0, 3.0, 10.0, 11.0]


def capacity(pattern: str, load: float, **vendor: Any) -> float:
    words = ", ".join(f'"{name}": {value}' for name, value in vendor.items())
    given = scenario(
        f'{{"seconds": 300, "pools": {{"openai": {{"accounts": [{{"repeat": 4}}], "vendor": {{{words}}}}}}},'
        f' "arrivals": [{{"rate": {load}, "pattern": "{pattern}"}}]}}'
    )
    at = Oracle(given, 1000).run(requests_of(given)).values()
    return sum(60 <= each < 300 for each in at) / 240


@pytest.mark.parametrize("pattern", ["poisson", "even"])
@pytest.mark.parametrize("limit", ['"token_bucket"', '"fixed_window"', '"sliding_window"'])
def test_in_the_long_run_the_least_of_load_and_limit_is_served(pattern: str, limit: str) -> None:
    assert capacity(pattern, 40.0, limit=limit, rate=5.0, burst=10) == pytest.approx(20.0, rel=0.01)
    assert capacity(pattern, 10.0, limit=limit, rate=5.0, burst=10) == pytest.approx(10.0, rel=0.06)
