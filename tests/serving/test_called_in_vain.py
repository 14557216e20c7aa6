"""How often the flow goes on after answers that were paid in vain, and after refusals that may be no key's fault."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import pytest

from mediarelay.serving.failover import (
    Answered,
    Budget,
    Call,
    Earlier,
    Ending,
    Failed,
    Reserved,
    Step,
    TakeKey,
    Taken,
    Wait,
    Waited,
    failover,
)
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.flows import ending_of

IN_VAIN = Failure(Outcome.UNUSABLE_DELIVERY, "wrong_media", status=200, cost_usd=0.01)
UNMARKED = Failure(Outcome.PERMISSION_DENIED, "http_403", status=403, certain=False)
MARKED = Failure(Outcome.PERMISSION_DENIED, "missing_permissions", status=403)
PAGE = Failure(Outcome.PROVIDER_FAULT, "edge_refusal", status=403, certain=False)
BUSY = Failure(Outcome.PROVIDER_FAULT, "http_500", status=500)
DICE = Random  # seeded, for jitter that repeats
BUDGET = Budget(expires_at=1000, worker_ends_at=100)


def played(answers: Mapping[str, Failure], budget: Budget = BUDGET, *, keys: int = 5) -> tuple[Ending, list[str]]:
    """The ending over these providers, each with so many keys that are never benched, and who was called."""
    called: list[str] = []
    flow = failover(list(answers), budget, now=0.0, rng=DICE(0))

    def reply(step: Step) -> Taken | Answered | Waited | Reserved:
        match step:
            case TakeKey(provider=provider, avoid=avoid):
                free = [name for name in map(str, range(keys)) if name not in avoid]
                return Taken(0.0, free[0] if free else None)
            case Call(provider=provider):
                called.append(provider)
                return Answered(0.0, answers[provider])
            case Wait():
                return Waited(0.0)
            case _:
                return Reserved(None)

    return ending_of(flow, reply), called


def test_two_answers_paid_in_vain_are_enough_and_none_is_bought_twice_at_one_provider() -> None:
    ending, called = played({"a": IN_VAIN, "b": IN_VAIN, "c": IN_VAIN})
    assert (ending, called) == (Failed(IN_VAIN), ["a", "b"])


def test_after_one_paid_in_vain_another_that_is_merely_busy_is_asked_as_often_as_ever() -> None:
    assert played({"a": IN_VAIN, "b": BUSY})[1] == ["a", "b", "b", "b"]


def test_what_an_earlier_delivery_paid_in_vain_counts() -> None:
    earlier = Budget(expires_at=1000, worker_ends_at=100, earlier=(Earlier("a", IN_VAIN), Earlier("b", BUSY)))
    assert played({"a": IN_VAIN, "b": IN_VAIN, "c": IN_VAIN}, earlier) == (Failed(IN_VAIN), ["b"])
    assert played({"a": IN_VAIN}, earlier) == (Failed(IN_VAIN), [])


def test_of_an_earlier_delivery_nothing_else_is_shown_as_the_last_failure() -> None:
    assert played({"b": BUSY}, Budget(1000, 100, earlier=(Earlier("b", BUSY),)), keys=0) == (Failed(None), [])


@pytest.mark.parametrize(
    ("failure", "times"), [(UNMARKED, 2), (PAGE, 1), (MARKED, 5)], ids=["unmarked", "page", "marked"]
)
def test_the_same_refusal_with_two_keys_is_no_fault_of_the_keys(failure: Failure, times: int) -> None:
    assert played({"a": failure}) == (Failed(failure), ["a"] * times)


def test_a_text_that_is_refused_everywhere_costs_four_calls() -> None:
    assert played({"a": UNMARKED, "b": UNMARKED, "c": UNMARKED})[1] == ["a", "a", "b", "b"]


def test_refusals_of_earlier_deliveries_count_as_well() -> None:
    assert played({"a": UNMARKED}, Budget(1000, 100, earlier=(Earlier("a", UNMARKED),)))[1] == ["a"]
