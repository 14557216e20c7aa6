"""What becomes of a job that finds no key now: a place before its deadline, another moment, or an early word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Final

import pytest

from mediarelay.job_records.claims import Claimed
from mediarelay.serving.deferring import deferral_of
from mediarelay.serving.failover import (
    Budget,
    Deferred,
    Ending,
    Expired,
    Reply,
    Reserve,
    Reserved,
    Step,
    TakeKey,
    Taken,
    Wait,
    Waited,
    failover,
)
from mediarelay.serving.job_errors import expired_error
from tests.builders.dice import dice
from tests.builders.flows import ending_of

BUDGET: Final = Budget(expires_at=60.0, worker_ends_at=100.0, max_wait=2.0, passes=2, shared_limits=True)
NO_PLACE: Final = Reserved(None, retry_at=70.0, certain=True)


class Lines:
    """Providers whose keys are taken until a moment; each says what comes of reserving."""

    def __init__(self, answers: Mapping[str, Reserved], *, closed: Mapping[str, float] | None = None) -> None:
        self._answers = answers
        self._closed = closed or {}
        self.reserved: list[Reserve] = []

    def play(self, budget: Budget = BUDGET) -> Ending:
        flow = failover([*self._answers, *self._closed], budget, now=0.0, rng=dice())
        return ending_of(flow, self._reply)

    def _reply(self, step: Step) -> Reply:
        match step:
            case TakeKey(provider=provider) if provider in self._closed:
                return Taken(0.0, None, self._closed[provider], closed=True)
            case TakeKey(provider=provider):
                return Taken(0.0, None, self._answers[provider].retry_at or 10.0, line=True)
            case Wait():
                return Waited(0.0)
            case Reserve(provider=provider):
                self.reserved.append(step)
                return self._answers[provider]
            case _:
                raise AssertionError(step)


def test_what_has_no_place_before_its_deadline_is_told_at_once_how_long_it_would_take() -> None:
    assert Lines({"a": NO_PLACE}).play() == Expired(would_take=70.0)


def test_it_is_told_by_the_provider_that_would_be_soonest() -> None:
    lines = Lines({"a": replace(NO_PLACE, retry_at=90.0), "b": NO_PLACE})
    assert lines.play() == Expired(would_take=70.0)
    assert [step.provider for step in lines.reserved] == ["b", "a"]


@pytest.mark.parametrize(
    "lines",
    [
        Lines({"a": replace(NO_PLACE, certain=False)}),
        Lines({"a": NO_PLACE, "b": replace(NO_PLACE, certain=False)}),
        Lines({"a": NO_PLACE}, closed={"b": 30.0}),
    ],
    ids=["limits that are learned", "those of one of two", "a provider that may be tried before"],
)
def test_nobody_is_told_where_it_is_not_certain(lines: Lines) -> None:
    ending = lines.play()
    assert isinstance(ending, Deferred)
    assert 0.0 < ending.requeue_at <= BUDGET.expires_at - 1.0


def test_what_may_have_been_paid_for_only_expires() -> None:
    assert Lines({"a": NO_PLACE}).play(replace(BUDGET, paid=1)) == Expired(None)


@pytest.mark.parametrize(("paid", "ending"), [(0, Expired(would_take=70.0)), (1, Expired(None))])
def test_where_no_place_can_be_reserved_what_comes_after_the_deadline_is_too_late(paid: int, ending: Ending) -> None:
    alone = replace(BUDGET, shared_limits=False, paid=paid)
    assert Lines({"a": NO_PLACE}).play(alone) == ending


def test_a_place_is_asked_for_up_to_the_last_moment_of_every_provider_that_has_a_line() -> None:
    lines = Lines({"a": replace(NO_PLACE, retry_at=40.0), "b": Reserved(55.0)})
    assert lines.play() == Deferred(55.0)
    assert [step.within for step in lines.reserved] == [pytest.approx(59.9)] * len(lines.reserved)
    assert {step.lifetime for step in lines.reserved} == {60.0}


def test_for_a_place_in_the_last_second_it_comes_early_enough() -> None:
    assert Lines({"a": Reserved(59.8)}).play() == Deferred(58.75)


def test_what_gives_way_to_others_comes_by_before_the_line_is_empty() -> None:
    ending = Lines({"a": replace(NO_PLACE, retry_at=20.0)}).play()
    assert isinstance(ending, Deferred)
    assert 10.0 <= ending.requeue_at <= 18.0


def test_beyond_the_farthest_place_it_asks_again_as_the_line_ends_and_is_not_told() -> None:
    long = replace(BUDGET, expires_at=7200.0)
    ending = Lines({"a": replace(NO_PLACE, retry_at=1000.0)}).play(long)
    assert isinstance(ending, Deferred)
    assert ending.requeue_at >= 900.0


def test_with_less_left_than_a_trip_takes_nothing_is_reserved() -> None:
    lines = Lines({"a": replace(NO_PLACE, retry_at=3.0)})
    assert lines.play(replace(BUDGET, expires_at=1.2)) == Expired(would_take=3.0)
    assert lines.reserved == []


def test_publishers_are_told_the_seconds_as_a_fact_and_that_nothing_was_bought() -> None:
    error = expired_error(60, 0, [], would_take=70.04)
    assert (error.code, error.retryable, error.would_take_seconds) == ("would_expire", True, 70.0)
    assert "70 s" in error.message
    assert "nothing was bought" in error.message
    assert expired_error(60, 0, []).would_take_seconds is None


def test_a_record_tells_of_the_newest_deliveries_that_were_put_off_and_of_no_more() -> None:
    told: tuple[tuple[int, str, str], ...] = ()
    for trip in range(30):
        job: Any = SimpleNamespace(claimed=Claimed(0, history=told), claimed_at=trip * 10.0, attempts=[], purchases=[])
        told = deferral_of(job, trip * 10.0 + 1, trip * 10.0 + 9)["history"]
    assert len(told) == 40
    assert told[-2:] == ((290_000, "claimed", ""), (291_000, "deferred", "299000"))
    assert told[0] == (100_000, "claimed", "")
