"""What one account lacks another may have: each account is asked once, then the next provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from mediarelay.serving.failover import (
    Answered,
    Budget,
    Call,
    Deferred,
    Delivered,
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

ABSENT = Failure(Outcome.INVALID_REQUEST, "voice_not_found", status=404, of_account=True)
BUSY = Failure(Outcome.PROVIDER_FAULT, "http_500", status=500)
DICE = Random  # seeded, for jitter that repeats
BUDGET = Budget(expires_at=1000, worker_ends_at=100)


def played(
    keys: Mapping[str, Sequence[str]],
    answers: Mapping[str, Failure | None],
    budget: Budget = BUDGET,
    *,
    cooling: Mapping[str, float] | None = None,
) -> tuple[Ending, list[str]]:
    """The ending, and the keys called. A key `a1` is of the account `a`; those `cooling` are free from a moment on."""
    called: list[str] = []
    free_at = cooling or {}
    flow = failover(list(keys), budget, now=0.0, rng=DICE(0))

    def take(step: TakeKey) -> Taken:
        barred = {key[0] for key in step.foreign}
        able = [key for key in keys[step.provider] if key[0] not in barred]
        free = [key for key in able if key not in step.avoid and key not in free_at]
        waits = [free_at[key] for key in able if key in free_at]
        return Taken(0.0, free[0] if free else None, None if free else min(waits, default=None))

    def reply(step: Step) -> Taken | Answered | Waited | Reserved:
        match step:
            case TakeKey():
                return take(step)
            case Call(key_id=key):
                called.append(key)
                return Answered(0.0, answers[key])
            case Wait():
                return Waited(0.0)
            case _:
                return Reserved(None)

    return ending_of(flow, reply), called


def test_a_key_of_another_account_is_asked_before_another_provider() -> None:
    answers = {"a1": ABSENT, "b1": None, "x1": None}
    assert played({"one": ["a1", "a2", "b1"], "two": ["x1"]}, answers) == (Delivered(), ["a1", "b1"])


def test_each_account_is_asked_once_and_then_the_next_provider() -> None:
    answers = {"a1": ABSENT, "b1": ABSENT, "x1": None}
    ending, called = played({"one": ["a1", "a2", "b1", "b2"], "two": ["x1"]}, answers)
    assert (ending, called) == (Delivered(), ["a1", "b1", "x1"])


def test_no_account_is_asked_again_in_a_later_pass() -> None:
    ending, called = played({"one": ["a1", "b1"], "two": ["x1"]}, {"a1": ABSENT, "b1": ABSENT, "x1": BUSY})
    assert (ending, called) == (Failed(BUSY), ["a1", "b1", "x1", "x1", "x1"])


def test_where_no_account_has_it_that_is_the_answer() -> None:
    assert played({"one": ["a1", "b1"]}, {"a1": ABSENT, "b1": ABSENT}) == (Failed(ABSENT), ["a1", "b1"])


def test_an_account_that_merely_cools_is_waited_for() -> None:
    ending, called = played({"one": ["a1", "b1"]}, {"a1": ABSENT}, cooling={"b1": 30.0})
    assert (ending, called) == (Deferred(30.0), ["a1"])


def test_what_an_earlier_delivery_was_told_is_not_asked_again() -> None:
    later = Budget(expires_at=1000, worker_ends_at=100, earlier=(Earlier("one", ABSENT, "a1"),))
    assert played({"one": ["a1", "a2", "b1"]}, {"b1": None}, later) == (Delivered(), ["b1"])
    assert played({"one": ["a1", "a2"]}, {}, later) == (Failed(ABSENT), [])
