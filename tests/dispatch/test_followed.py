"""Speech that a vendor accepted and made later, over a worker as it is wired: bought once, whatever becomes of it."""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.job_records.contract import JobRecord
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.keys import keys
from tests.builders.requests import message, tts
from tests.doubles.keys import FixedKeys
from tests.doubles.scripted_http import MEDIA, Answer, Step, document, unanswered
from tests.harness.bench import Bench
from tests.harness.worker import worker

BUY, ASK, STOP = "turbo/predictions", "/predictions/p-1 Bearer", "/predictions/p-1/cancel"
SOUND = Answer(200, MEDIA["mp3"], {"content-type": "audio/mpeg"})
THEN_OPENAI: dict[str, Any] = {"providers": ["replicate-tts", "openai-tts"], "strategy": "ordered"}


def prediction(status: str, **more: Any) -> Answer:
    bought = status == "bought"
    told = {"id": "p-1", "status": "processing" if bought else status, "output": None, "error": None, **more}
    return document(201 if bought else 200, told, paid=bought)


DONE = prediction("succeeded", output="https://replicate.delivery/1.mp3")


def served(bench: Bench, *polls: Step, stopped: Step | None = None, **fields: Any) -> JobRecord:
    bench.world.source = FixedKeys(keys(replicate=2, openai=2))
    bench.http.always("replicate.delivery", SOUND)
    bench.http.always(STOP, stopped or prediction("processing"))
    bench.http.plan(ASK, *polls)
    bench.http.always(ASK, prediction("processing"))
    bench.http.always(BUY, prediction("bought"))
    return bench.served(tts(**{**THEN_OPENAI, **fields}))


def bought(bench: Bench) -> list[str]:
    """Who was asked to make something."""
    made = (call.url.split("/")[2] for call in bench.http.calls if call.url.endswith(("/predictions", "/speech")))
    return list(made)


@pytest.mark.parametrize(
    "polls",
    [
        [DONE],
        [prediction("processing"), prediction("starting"), DONE],
        [unanswered(), document(500, {"title": "no", "detail": "no"}), document(404, {"detail": "no"}), DONE],
        [document(429, {"detail": "Request was throttled.", "retry_after": 30}), DONE],
    ],
)
def test_it_is_asked_for_with_the_key_that_bought_it_until_it_is_there(bench: Bench, polls: list[Step]) -> None:
    record = served(bench, *polls)
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "replicate-tts")
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.DELIVERED]
    assert bought(bench) == ["api.replicate.com"]
    assert len({call.auth.split()[-1] for call in bench.http.calls}) == 1


def test_one_that_fails_while_it_is_followed_falls_back(bench: Bench) -> None:
    record = served(bench, prediction("failed", error="Prediction interrupted; please retry (code: PA)"))
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "openai-tts")
    assert not any(call.url.endswith("/cancel") for call in bench.http.calls)


def test_one_that_does_not_end_is_stopped_counted_and_made_elsewhere_in_the_time_that_is_left(bench: Bench) -> None:
    record = served(bench, stopped=prediction("canceled"))
    wasted = record.attempts[0]
    assert (wasted.outcome, wasted.code) == (Outcome.PROVIDER_FAULT, "prediction_canceled")
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "openai-tts")
    assert bought(bench) == ["api.replicate.com", "api.openai.com"]
    assert record.cost_usd > (wasted.cost_usd or 0.0) > 0.0


def test_one_that_nobody_knows_the_end_of_is_bought_nowhere_else(bench: Bench) -> None:
    record = served(bench)
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.FAILED, "ambiguous_submit")
    assert bought(bench) == ["api.replicate.com"]
    assert record.cost_usd == record.attempts[0].cost_usd
    assert record.cost_usd
    assert bench.clock.now() < bench.world.ends_at


@pytest.mark.parametrize(("seconds", "wait"), [(60.0, "wait=5"), (5.0, "wait=2")])
def test_a_worker_near_its_end_is_answered_in_time_to_know_the_id(bench: Bench, seconds: float, wait: str) -> None:
    bench.world.source = FixedKeys(keys(replicate=1))
    bench.http.always("/predictions", prediction("bought"))
    asked = message(tts(providers=["replicate-tts"]))
    worker(bench.world).handle(asked, worker_ends_at=bench.clock.now() + seconds)
    assert wait in bench.http.calls[0].auth.split()
