"""The flow, driven by a script: no clock, no sleeping, no provider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.serving.failover import (
    Answered,
    Budget,
    Call,
    Deferred,
    Delivered,
    Ending,
    Expired,
    Failed,
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
from mediarelay.vocabulary.outcome import Failure, Follow, Outcome
from tests.builders.flows import ending_of

ROTATING = [outcome for outcome in Outcome if outcome.follow is Follow.ROTATE]
FALLING_BACK = [outcome for outcome in Outcome if outcome.follow is Follow.FALL_BACK]
REFUSING = [outcome for outcome in FALLING_BACK if not outcome.again]
STOPPING = [outcome for outcome in Outcome if outcome.follow is Follow.STOP]
DICE = Random  # seeded, for jitter that repeats
BUDGET = Budget(expires_at=1000, worker_ends_at=100)


@dataclass
class Stage:
    """Keys and providers as the flow meets them: `answers` decides what a call comes to, None being delivered.

    A throttled key cools for `cooling` seconds; every call takes `call_seconds`.
    """

    keys: dict[str, int]
    answers: Callable[[str, str], Outcome | None]
    now: float = 0.0
    call_seconds: float = 1.0
    cooling: float = 30.0
    certain: bool = True
    steps: list[Step] = field(default_factory=list)
    benched: dict[str, float] = field(default_factory=dict)

    def play(self, budget: Budget = BUDGET, providers: Sequence[str] | None = None) -> Ending:
        flow = failover(providers or list(self.keys), budget, now=self.now, rng=DICE(0))
        return ending_of(flow, self.reply)

    def reply(self, step: Step) -> Reply:
        self.steps.append(step)
        match step:
            case TakeKey(provider=provider, avoid=avoid):
                return self._take(provider, avoid)
            case Call(provider=provider, key_id=key):
                self.now += self.call_seconds
                return Answered(self.now, self._judge(provider, key))
            case Wait(seconds=seconds):
                self.now += seconds
                return Waited(self.now)
            case Reserve():
                return Reserved(None)

    def _take(self, provider: str, avoid: frozenset[str]) -> Taken:
        names = [f"{provider}/{number}" for number in range(self.keys[provider])]
        free = [name for name in names if self.benched.get(name, 0) <= self.now and name not in avoid]
        if free:
            return Taken(self.now, free[0])
        cooling = [self.benched[name] for name in names if 0 < self.benched.get(name, 0) < float("inf")]
        return Taken(self.now, None, min(cooling, default=None))

    def _judge(self, provider: str, key: str) -> Failure | None:
        outcome = self.answers(provider, key)
        if outcome is None:
            return None
        if outcome.follow is Follow.ROTATE:
            self.benched[key] = self.now + self.cooling if outcome is Outcome.THROTTLED else float("inf")
        return Failure(outcome, outcome.value, certain=self.certain)

    @property
    def called(self) -> list[str]:
        return [step.key_id for step in self.steps if isinstance(step, Call)]

    @property
    def waits(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Wait)]


def always(outcome: Outcome | None) -> Callable[[str, str], Outcome | None]:
    return lambda _provider, _key: outcome


def by(**answers: Outcome) -> Callable[[str, str], Outcome | None]:
    """By provider or by `provider/key`, with underscores for slashes; delivered otherwise."""
    return lambda provider, key: answers.get(key.replace("/", "_"), answers.get(provider))


def test_the_first_provider_that_delivers_ends_it() -> None:
    stage = Stage({"a": 2, "b": 2}, always(None))
    assert stage.play() == Delivered()
    assert stage.steps == [TakeKey("a", frozenset()), Call("a", "a/0")]


@pytest.mark.parametrize("outcome", ROTATING)
def test_a_benched_key_is_rotated_without_waiting(outcome: Outcome) -> None:
    stage = Stage({"a": 3}, by(a_0=outcome, a_1=outcome))
    assert stage.play() == Delivered()
    assert (stage.called, stage.waits) == (["a/0", "a/1", "a/2"], [])


@pytest.mark.parametrize("outcome", FALLING_BACK)
def test_a_provider_fault_goes_to_the_next_provider_and_spares_its_other_keys(outcome: Outcome) -> None:
    stage = Stage({"a": 3, "b": 1}, by(a=outcome))
    assert stage.play() == Delivered()
    assert (stage.called, stage.waits) == (["a/0", "b/0"], [])


@pytest.mark.parametrize("outcome", STOPPING)
def test_a_callers_fault_stops_at_once(outcome: Outcome) -> None:
    stage = Stage({"a": 3, "b": 1}, always(outcome))
    assert stage.play() == Failed(Failure(outcome, outcome.value))
    assert stage.called == ["a/0"]


@pytest.mark.parametrize("outcome", REFUSING)
def test_who_would_say_the_same_again_or_charge_twice_is_asked_once(outcome: Outcome) -> None:
    stage = Stage({"a": 2, "b": 1}, by(a=outcome, b=Outcome.PROVIDER_FAULT))
    assert isinstance(stage.play(), Failed)
    assert stage.called == ["a/0", *["b/0"] * BUDGET.passes]


def test_two_keys_refused_without_a_reason_are_enough_and_the_next_provider_is_asked() -> None:
    stage = Stage({"a": 5, "b": 1}, by(a=Outcome.PERMISSION_DENIED), certain=False)
    assert stage.play() == Delivered()
    assert stage.called == ["a/0", "a/1", "b/0"]


def test_a_lost_answer_stops_at_once_and_is_ambiguous() -> None:
    stage = Stage({"a": 3, "b": 1}, always(Outcome.TIMEOUT_SENT))
    assert stage.play() == Failed(Failure(Outcome.TIMEOUT_SENT, "timeout_sent"), ambiguous=True)
    assert stage.called == ["a/0"]


def test_a_lost_answer_is_bought_again_elsewhere_when_the_caller_allows_it() -> None:
    stage = Stage({"a": 3, "b": 1}, by(a=Outcome.TIMEOUT_SENT))
    assert stage.play(Budget(1000, 100, resubmit=True)) == Delivered()
    assert stage.called == ["a/0", "b/0"]


def test_a_short_wait_is_waited_for() -> None:
    stage = Stage({"a": 1}, lambda _provider, _key: Outcome.THROTTLED if stage.now < 2 else None, cooling=1.5)
    assert stage.play() == Delivered()
    assert stage.waits == [1.5]


def test_a_fault_of_an_earlier_pass_is_no_reason_to_try_a_key_that_cools() -> None:
    stage = Stage({"a": 1}, lambda _provider, _key: Outcome.THROTTLED if stage.now > 1 else Outcome.PROVIDER_FAULT)
    ending = stage.play()
    assert stage.called == ["a/0", "a/0"]
    assert ending == Deferred(stage.now + 30.0)


def test_a_long_wait_becomes_a_deferral_until_the_first_key_returns() -> None:
    stage = Stage({"a": 2, "b": 1}, always(Outcome.THROTTLED))
    assert stage.play() == Deferred(1 + 30.0)
    assert (stage.called, stage.waits) == (["a/0", "a/1", "b/0"], [])


def in_line(providers: Sequence[str], until: float) -> tuple[list[Step], Ending]:
    """All keys are asked for by others too, who wait in line until this moment."""
    steps: list[Step] = []

    def reply(step: Step) -> Reply:
        steps.append(step)
        return Waited(0.0) if isinstance(step, Wait) else Taken(0.0, None, until, line=True)

    ending = ending_of(failover(providers, BUDGET, now=0.0, rng=DICE(0)), reply)
    return steps, ending


def test_who_found_no_near_place_in_a_line_defers_at_once_and_does_not_wait_beside_it() -> None:
    assert in_line(["openai"], until=1.0) == ([TakeKey("openai", frozenset(), max_wait=BUDGET.max_wait)], Deferred(1.0))


def test_with_several_providers_all_are_asked_for_a_key_now_and_then_for_a_near_place() -> None:
    steps, ending = in_line(["openai", "elevenlabs"], until=1.0)
    asked = [(step.provider, step.max_wait > 0) for step in steps if isinstance(step, TakeKey)]
    assert asked == [("openai", False), ("elevenlabs", False), ("openai", True), ("elevenlabs", True)]
    assert [step.seconds for step in steps if isinstance(step, Wait)] == [0.0]
    assert ending == Deferred(1.0)


def test_a_line_at_one_provider_is_no_reason_to_ask_another_again_at_once_that_just_failed() -> None:
    flow = failover(["openai", "elevenlabs"], BUDGET, now=0.0, rng=DICE(0))
    assert next(flow) == TakeKey("openai", frozenset())
    assert flow.send(Taken(0.0, "key")) == Call("openai", "key")
    failed = Failure(Outcome.PROVIDER_FAULT, "internal_error")
    assert flow.send(Answered(1.0, failed)) == TakeKey("elevenlabs", frozenset())
    pause = flow.send(Taken(1.0, None, 2.0, line=True))
    assert isinstance(pause, Wait)
    assert pause.seconds > 0.0


def test_keys_that_return_after_the_deadline_are_not_waited_for() -> None:
    stage = Stage({"a": 1}, always(Outcome.THROTTLED), cooling=5000)
    assert stage.play() == Expired(would_take=5000.0)


def test_no_further_try_is_planned_for_after_the_deadline() -> None:
    """The first pass ends just before it: to back off would be to wait for nothing."""
    stage = Stage({"a": 1}, lambda _provider, _key: Outcome.PROVIDER_FAULT)
    ending = stage.play(Budget(expires_at=1.01, worker_ends_at=100, backoff_base_seconds=4.0))
    assert [step for step in stage.steps if isinstance(step, Wait)] == []
    assert isinstance(ending, Failed)


def test_without_any_usable_key_there_is_no_failure_to_show() -> None:
    assert Stage({"a": 0}, always(None)).play() == Failed(None)


@pytest.mark.parametrize("outcome", [Outcome.QUOTA_EXHAUSTED, Outcome.KEY_REJECTED, Outcome.PERMISSION_DENIED])
def test_keys_benched_for_good_end_with_their_last_failure(outcome: Outcome) -> None:
    stage = Stage({"a": 2}, always(outcome))
    assert stage.play() == Failed(Failure(outcome, outcome.value))
    assert stage.called == ["a/0", "a/1"]


@pytest.mark.parametrize("size", [1, 7, 40])
def test_every_untried_usable_key_is_tried_however_many_there_are(size: int) -> None:
    stage = Stage({"a": size}, always(Outcome.KEY_REJECTED), call_seconds=0.01)
    stage.play()
    assert len(stage.called) == size


@pytest.mark.parametrize("passes", [1, 2, 3, 5])
def test_a_failing_provider_is_tried_so_many_passes_and_nobody_waits_after_the_last(passes: int) -> None:
    stage = Stage({"a": 1, "b": 1}, always(Outcome.PROVIDER_FAULT))
    assert stage.play(Budget(1000, 100, passes=passes)) == Failed(Failure(Outcome.PROVIDER_FAULT, "provider_fault"))
    assert stage.called == ["a/0", "b/0"] * passes
    assert len(stage.waits) == passes - 1
    assert all(seconds <= BUDGET.backoff_cap_seconds for seconds in stage.waits)


def test_nothing_is_asked_of_an_expired_job() -> None:
    stage = Stage({"a": 1}, always(None), now=1000)
    assert (stage.play(), stage.steps) == (Expired(), [])


def test_a_job_that_expires_between_two_calls_is_expired() -> None:
    stage = Stage({"a": 9}, always(Outcome.KEY_REJECTED), call_seconds=6)
    assert stage.play(Budget(expires_at=10, worker_ends_at=100)) == Expired()
    assert len(stage.called) == 2


def test_a_worker_about_to_end_gives_the_job_back() -> None:
    stage = Stage({"a": 9}, always(Outcome.KEY_REJECTED), call_seconds=6)
    assert stage.play(Budget(expires_at=1000, worker_ends_at=10)) == Deferred(12)
    assert len(stage.called) == 2


def test_a_reply_to_another_question_is_refused() -> None:
    flow = failover(["a"], BUDGET, now=0, rng=DICE(0))
    next(flow)
    with pytest.raises(TypeError, match="asked for Taken and was sent Waited"):
        flow.send(Waited(0))


@settings(deadline=None)  # virtual time: the machine's own says nothing
@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(0, 4), min_size=1, max_size=4),
    delivers=st.sampled_from([0.0, 0.1]),
    budget=st.builds(
        Budget,
        expires_at=st.floats(0, 200),
        worker_ends_at=st.floats(0, 200),
        passes=st.integers(1, 5),
        resubmit=st.booleans(),
    ),
)
def test_whatever_the_providers_answer_the_flow_keeps_its_rules(
    seed: int, sizes: list[int], delivers: float, budget: Budget
) -> None:
    """It ends; no key is called twice in a pass, none after a deadline, none that was not just taken."""
    rng = DICE(seed)
    outcomes = [outcome for outcome in Outcome if outcome.follow is not Follow.SETTLE]
    stage = Stage(
        {f"p{number}": size for number, size in enumerate(sizes)},
        lambda _provider, _key: None if rng.random() < delivers else rng.choice(outcomes),
        call_seconds=rng.choice([0.1, 2.0, 20.0]),
        cooling=rng.choice([0.2, 3.0, 60.0]),
    )
    moments: list[float] = []
    reply = stage.reply
    stage.reply = lambda step: moments.append(stage.now) or reply(step)  # type: ignore[func-returns-value, method-assign]
    ending = stage.play(budget)

    passes: list[list[str]] = [[]]
    for before, step, now in zip([None, *stage.steps], stage.steps, moments, strict=False):
        if isinstance(step, Wait):
            assert step.seconds >= 0
            passes.append([])
        if isinstance(step, Call):
            assert isinstance(before, TakeKey)
            assert before.provider == step.provider
            assert step.key_id not in before.avoid
            assert now < budget.expires_at
            assert now + budget.call_seconds <= budget.worker_ends_at
            passes[-1].append(step.key_id)
    assert len(passes) <= budget.passes
    assert all(len(set(called)) == len(called) for called in passes)
    if isinstance(ending, Deferred):
        assert ending.requeue_at >= stage.now
