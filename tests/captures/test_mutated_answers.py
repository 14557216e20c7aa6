"""Whatever becomes of a vendor's answers next: nothing is raised, nothing bought twice, no key benched on a guess."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.keys.pool import KeyEntry, KeyPool, RoundRobin
from mediarelay.keys.states import EVENT_OF, KeyStatus
from mediarelay.vocabulary.outcome import Failure, Follow
from tests.builders.captures import RECORDED
from tests.builders.dice import dice
from tools.captures.asking import provider_of
from tools.captures.capture import Capture, Function
from tools.captures.reading import Verdict, read

SERVED = [capture for capture in RECORDED if provider_of(capture) is not None]
STATUSES = st.sampled_from(
    [
        *(200, 201, 202, 204, 206, 301, 400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 425, 429, 451),
        *(499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 529, 530),
    ]
)
WORDS = st.sampled_from(
    ["Недостаточно средств", "余额不足", "リクエストが多すぎます", "clé refusée", "", "\ud800", "no", "٪", "x" * 5000]
)
ODD: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.just([]) | st.just({}) | st.just([[]])
)
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "X-RateLimit-Reset", "Content-Type", "Server", "CF-Mitigated", "Date", "x-odd"]),
    st.sampled_from(["3600", "1e400", "-1", "text/html", "application/json", "audio/mpeg", "challenge", "30, 30", ""]),
)
MINUTE = 60.0


@st.composite
def answers(draw: st.DrawFn) -> Capture:
    capture = draw(st.sampled_from(SERVED))
    changed: dict[str, Any] = {"headers": {name.title(): text for name, text in capture.headers.items()}}
    if draw(st.booleans()):
        changed["status"] = draw(STATUSES)
    changed["headers"] |= draw(HEADERS)
    body = capture.body
    if isinstance(body, dict) and draw(st.booleans()):
        body = mutated(draw, body)
        changed["body"] = body
    if isinstance(body, dict) and draw(st.booleans()):
        whole = json.dumps(body)
        changed["body"] = whole[: draw(st.integers(0, len(whole) - 1))]
    return Capture.model_validate({**capture.model_dump(), **changed})


def mutated(draw: st.DrawFn, value: Any) -> Any:
    if not isinstance(value, dict):
        return draw(ODD) if draw(st.integers(0, 3)) == 0 else value
    kept = {name: mutated(draw, each) for name, each in value.items() if draw(st.integers(0, 5))}
    return {**kept, draw(st.sampled_from(["extra", "code", "status", "error", "data"])): draw(ODD)}


@given(answers())
@settings(max_examples=400)
def test_no_answer_is_an_exception_a_second_purchase_or_a_key_benched_on_a_guess(capture: Capture) -> None:
    reading = read(capture)
    assert not reading.got.startswith("raised:"), reading.got
    failure = reading.failure
    if failure is None or reading.verdict is Verdict.WAITING:
        return
    bought = 200 <= capture.status < 300 and capture.function in (Function.RESPONSE, Function.SUBMIT)
    if bought and failure.outcome.again and failure.outcome.follow in (Follow.ROTATE, Follow.FALL_BACK):
        assert failure.certain
        assert vendors_own(failure, capture)
    if failure.outcome in EVENT_OF and not vendors_own(failure, capture):
        assert benched_seconds(failure) <= MINUTE


def vendors_own(failure: Failure, capture: Capture) -> bool:
    """Whether the answer itself has a marker or words that were recognised; a guess goes by the status alone."""
    if not readable(capture):
        return failure.code in capture.headers.values()
    return failure.certain


def readable(capture: Capture) -> bool:
    try:
        return isinstance(json.loads(capture.content), dict)
    except ValueError:
        return False


def benched_seconds(failure: Failure) -> float:
    pool = KeyPool("v", [KeyEntry(name, "v") for name in ("a", "b")], policy=RoundRobin(), rng=dice())
    pool.failed("a", "p", failure, now=0.0)
    benched = [view for view in pool.snapshot(now=0.0) if view.status is not KeyStatus.ACTIVE]
    return max((float("inf") if view.until is None else view.until for view in benched), default=0.0)
