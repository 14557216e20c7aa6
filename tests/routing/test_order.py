from __future__ import annotations

from collections import Counter

import pytest

from mediarelay.providers.offers import Availability, Offer
from mediarelay.routing.order import decide, get_fastest_provider, load, put_first, rank, source_format
from tests.builders.dice import dice

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


@pytest.mark.parametrize("strategy", ["fastest", "cheapest"])
def test_of_equal_offers_the_one_that_makes_the_format_itself_comes_first(strategy: str) -> None:
    other = Offer("other", 0.01, 1.0, 1, as_asked=False)
    assert names(strategy, other, Offer("own", 0.01, 1.0, 1)) == ["own", "other"]
    assert names("ordered", other, Offer("own", 0.01, 1.0, 1)) == ["other", "own"]


def test_of_those_about_as_fast_only_those_that_make_the_format_are_drawn() -> None:
    other, own = Offer("other", 0.01, 1.0, 1, as_asked=False), Offer("own", 0.01, 1.9, 1)
    slow = Offer("slow", 0.01, 2.1, 1)
    for seed in range(20):
        decision = decide([other, own, slow], "fastest", rng=dice(seed))
        assert [offer.provider for offer in decision.order] == ["own", "other", "slow"]
        assert decision.drawn == ("own",)


@pytest.mark.parametrize("strategy", ["fastest", "cheapest", "ordered"])
def test_equal_offers_keep_the_order_given(strategy: str) -> None:
    twins = [Offer(name, 0.01, 1.0, 1) for name in "zax"]
    assert names(strategy, *twins) == ["z", "a", "x"]


READY, DEGRADED, SUSPECT, OPEN, TRIAL = (
    Availability.READY,
    Availability.DEGRADED,
    Availability.SUSPECT,
    Availability.OPEN,
    Availability.TRIAL,
)


def offer(
    name: str, seconds: float = 1.0, availability: Availability = READY, *, cost: float = 0.01, pending: int = 0
) -> Offer:
    return Offer(name, cost, seconds, 1, availability, pending)


@pytest.mark.parametrize("strategy", ["fastest", "cheapest", "ordered"])
def test_open_comes_after_suspect_after_the_rest_whatever_the_strategy(strategy: str) -> None:
    offers = [offer("open", 0.1, OPEN, cost=0), offer("suspect", 0.2, SUSPECT, cost=0), offer("well", 9.0)]
    assert names(strategy, *offers) == ["well", "suspect", "open"]


def test_degraded_comes_later_for_fastest_only() -> None:
    offers = [offer("degraded", 0.1, DEGRADED, cost=0.001), offer("well", 2.0)]
    assert names("fastest", *offers) == ["well", "degraded"]
    assert names("cheapest", *offers) == names("ordered", *offers) == ["degraded", "well"]


@pytest.mark.parametrize("strategy", ["fastest", "cheapest", "ordered"])
def test_the_request_that_is_a_trial_asks_the_provider_on_trial_first(strategy: str) -> None:
    offers = [offer("well", 0.1, cost=0.0), offer("trial", 9.0, TRIAL)]
    decision = decide(offers, strategy, rng=dice(0))
    assert [found.provider for found in decision.order] == ["trial", "well"]
    assert decision.drawn == ()


def test_calls_that_wait_make_a_provider_slower() -> None:
    assert names("fastest", offer("busy", 1.0, pending=3), offer("free", 2.0)) == ["free", "busy"]
    assert load(Offer("p", 0, 1.0, 4, READY, 3)) == 1.75


def test_a_fleet_spreads_over_providers_that_are_about_as_fast_and_leaves_the_slow_alone() -> None:
    offers = [offer("a", 1.0), offer("b", 1.3), offer("c", 1.6), offer("slow", 9.0)]
    rng = dice(1)
    firsts = Counter(found.provider for _ in range(3000) if (found := get_fastest_provider(offers, rng=rng)))
    assert set(firsts) == {"a", "b"}
    assert 0.6 < firsts["a"] / 3000 < 0.73


def test_the_less_loaded_of_the_two_drawn_goes_first_and_the_rest_keep_their_order() -> None:
    offers = [offer("a", 1.0), offer("b", 1.3), offer("c", 1.6)]
    for seed in range(20):
        decision = decide(offers, "fastest", rng=dice(seed))
        drawn = [found for found in offers if found.provider in decision.drawn]
        assert decision.order == put_first(offers, drawn)
        assert load(decision.order[0]) == min(map(load, drawn))


def test_nobody_is_the_fastest_of_none() -> None:
    assert get_fastest_provider([], rng=dice(0)) is None


@pytest.mark.parametrize(
    ("wanted", "made", "asked"),
    [
        ("mp3", ("mp3", "wav"), None),
        ("flac", ("mp3", "wav", "pcm"), "wav"),
        ("flac", ("mp3", "pcm"), "pcm"),
        ("opus", ("mp3", "flac"), "flac"),
        ("wav", ("opus", "mp3"), "mp3"),
        ("pcm", ("opus",), "opus"),
        ("aac", (), None),
    ],
)
def test_a_vendor_is_asked_for_its_best_where_it_lacks_the_format(
    wanted: str, made: tuple[str, ...], asked: str | None
) -> None:
    assert source_format(wanted, made) == asked


def test_what_is_made_again_anyway_is_made_of_what_lost_nothing() -> None:
    assert source_format("mp3", ("mp3", "wav"), remade=True) == "wav"
    assert source_format("mp3", (), remade=True) == "wav"
    assert source_format("mp3", ("mp3", "opus"), remade=True) == "mp3"
