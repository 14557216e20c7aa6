"""What one request may cost at most: who is asked within it, and what is said where nobody can be."""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import image, message, tts, video
from tests.doubles.job_vendors import Fault, reset
from tests.doubles.scripted_http import Answer, unanswered, unsent
from tests.harness.bench import Bench as SpeechBench
from tests.harness.long_jobs.speeches import SpeechBench as LongBench
from tests.harness.long_jobs.workflow import Bench

BOTH: dict[str, Any] = {"providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered"}
DEAREST: dict[str, Any] = {
    "providers": ["openai-image"],
    "input": {"n": 10, "quality": "high", "size": "3840x2160"},
}
IN_VAIN = Answer(200, b"<html>busy</html>", {"content-type": "audio/mpeg"}, paid=True)
SAID = "a" * 40  # ElevenLabs takes $0.0032 for it, OpenAI a fifth of that
TEXT = "The keeper of the lighthouse counts the ships. " * 240


def test_a_picture_request_of_ten_dollars_is_refused_with_its_price() -> None:
    bench = SpeechBench()
    bench.handle(message(image(request_id="job-1", max_cost_usd=0.5, **DEAREST)))
    record = bench.world.jobs.get("job-1")
    assert record is not None
    assert record.error is not None
    assert (record.status, record.error.code, bench.http.calls) == (JobStatus.REJECTED, "too_expensive", [])
    assert record.error.message.startswith("max_cost_usd: 0.5; it would cost: openai-image $")
    assert bench.causes() == ["too_expensive"]


def test_a_provider_above_it_is_not_asked_and_a_cheaper_one_is() -> None:
    bench = SpeechBench()
    record = bench.served(tts(SAID, max_cost_usd=0.002, strategy="ordered", providers=["elevenlabs-tts", "openai-tts"]))
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "openai-tts")
    assert record.cost_usd <= 0.002


def test_a_second_purchase_that_would_exceed_it_is_not_made() -> None:
    bench = SpeechBench()
    bench.http.always("api.openai.com", IN_VAIN)
    record = bench.served(tts(SAID, max_cost_usd=0.0033, **BOTH))
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.FAILED, "too_expensive")
    assert "elevenlabs-tts $0.0032" in record.error.message
    assert "is spent" in record.error.message
    assert (len(bench.http.calls), len(record.purchases)) == (1, 1)


def test_an_answer_that_was_lost_counts_against_it() -> None:
    bench = SpeechBench()
    bench.http.always("api.openai.com", unanswered())
    record = bench.served(tts(SAID, max_cost_usd=0.001, on_ambiguous="resubmit", providers=["openai-tts"]))
    assert record.error is not None
    assert (record.error.code, len(bench.http.calls), record.cost_certain) == ("too_expensive", 1, False)


def test_within_it_the_next_provider_is_asked() -> None:
    bench = SpeechBench()
    bench.http.always("api.openai.com", IN_VAIN)
    record = bench.served(tts(SAID, max_cost_usd=0.008, **BOTH))
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "elevenlabs-tts")
    assert record.cost_usd <= 0.008


def test_strategy_all_is_bounded_by_the_sum() -> None:
    bench = SpeechBench()
    request = tts(SAID, request_id="job-1", **BOTH | {"strategy": "all"})
    bench.handle(message(request | {"max_cost_usd": 0.0035}))
    refused = bench.world.jobs.get("job-1")
    assert refused is not None
    assert refused.error is not None
    assert (refused.error.code, bench.http.calls) == ("too_expensive", [])
    assert "all of them $" in refused.error.message
    bench.handle(message(request | {"request_id": "job-2", "max_cost_usd": 0.008}))
    jobs = [bench.world.jobs.get(f"job-2#{name}") for name in BOTH["providers"]]
    assert [job.status for job in jobs if job] == [JobStatus.SUCCEEDED] * 2


def test_a_clip_whose_answer_was_lost_is_not_bought_again_beyond_it() -> None:
    bench = Bench()
    bench.vendors.plan("submit", *[reset(after=True)] * 9)
    record = bench.run(video(request_id="job-1", providers=["fal-kling"], on_ambiguous="resubmit", max_cost_usd=0.5))
    assert record.error is not None
    assert (record.error.code, sum(bench.vendors.submits.values())) == ("ambiguous_submit", 1)
    assert record.cost_usd <= 0.5


def test_a_clip_that_failed_and_cost_nothing_leaves_all_of_it() -> None:
    bench = Bench()
    bench.vendors.plan("submit", *[Fault(breaks=unsent())] * 3)
    record = bench.run(
        video(request_id="job-1", providers=["fal-kling", "kling-video"], strategy="ordered", max_cost_usd=0.5)
    )
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "kling-video")


def test_parts_together_cost_no_more_than_the_whole_may() -> None:
    bench = LongBench()
    request = tts(TEXT, request_id="job-1", providers=["openai-tts"], input={"format": "wav"})
    bench.publish(request | {"max_cost_usd": 0.01})
    record = bench.record("job-1")
    assert record.error is not None
    assert (record.status, record.error.code, bench.vendors.said) == (JobStatus.REJECTED, "too_expensive", [])
    bench = LongBench()
    record = bench.run(request | {"max_cost_usd": 0.5})
    assert (record.status, record.parts_done) == (JobStatus.SUCCEEDED, record.parts_total)
    assert record.cost_usd <= 0.5


@pytest.mark.parametrize("lost", [1, 2])
def test_parts_whose_answers_are_lost_never_exceed_it(lost: int) -> None:
    bench = LongBench()
    request = tts(TEXT, request_id="job-1", input={"format": "wav"}, on_ambiguous="resubmit", **BOTH)
    price = LongBench().run(request).cost_usd
    bench.vendors.loses = lost
    record = bench.run(request | {"max_cost_usd": price * 1.05})
    assert record.status is JobStatus.FAILED
    assert record.cost_usd <= price * 1.05
