from __future__ import annotations

import pytest

from mediarelay.core.routing import Offer, rank

QUICK = Offer("quick", cost_usd=0.03, expected_seconds=1.0, usable_keys=2)
CHEAP = Offer("cheap", cost_usd=0.01, expected_seconds=4.0, usable_keys=1)
BARE = Offer("bare", cost_usd=0.001, expected_seconds=0.1, usable_keys=0)


def names(strategy: str, *offers: Offer) -> list[str]:
    return [offer.provider for offer in rank(offers, strategy)]


def test_fastest_goes_by_latency_then_price() -> None:
    assert names("fastest", CHEAP, QUICK) == ["quick", "cheap"]
    dear = Offer("dear", cost_usd=0.5, expected_seconds=1.0, usable_keys=9)
    assert names("fastest", dear, QUICK) == ["quick", "dear"]


def test_cheapest_goes_by_price_then_latency() -> None:
    assert names("cheapest", QUICK, CHEAP) == ["cheap", "quick"]
    slow = Offer("slow", cost_usd=0.01, expected_seconds=9.0, usable_keys=9)
    assert names("cheapest", slow, CHEAP) == ["cheap", "slow"]


@pytest.mark.parametrize("strategy", ["fastest", "cheapest"])
def test_a_provider_without_a_usable_key_comes_last(strategy: str) -> None:
    assert names(strategy, BARE, QUICK, CHEAP)[-1] == "bare"


def test_ordered_keeps_the_order_given_whatever_the_offers() -> None:
    assert names("ordered", BARE, CHEAP, QUICK) == ["bare", "cheap", "quick"]


@pytest.mark.parametrize("strategy", ["fastest", "cheapest", "ordered"])
def test_equal_offers_keep_the_order_given(strategy: str) -> None:
    twins = [Offer(name, 0.01, 1.0, 1) for name in "zax"]
    assert names(strategy, *twins) == ["z", "a", "x"]
