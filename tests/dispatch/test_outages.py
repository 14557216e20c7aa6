"""Stores of ours that go away, and faults of ours: nothing is lost, nothing is bought twice."""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import tts
from tests.doubles.scripted_http import speech, throttled
from tests.doubles.trouble import Flaky
from tests.harness.bench import Bench

OPENAI: dict[str, Any] = {"providers": ["openai-tts"]}
BOTH: dict[str, Any] = {"providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered"}


def _broken(*_: object) -> None:
    raise KeyError("missing")


def test_while_the_jobs_table_is_away_nothing_is_bought_and_the_message_comes_back(bench: Bench) -> None:
    bench.world.jobs = Flaky(bench.world.jobs, "claim")
    bench.handle(tts())
    assert bench.http.calls == []
    assert [delayed.delay_seconds <= 11 for delayed in bench.queue.delayed] == [True]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("method", ["claim", "settle"])
def test_a_jobs_table_that_is_back_within_the_workers_time_costs_only_patience(
    bench: Bench, method: str, *, late: bool
) -> None:
    bench.world.jobs = Flaky(bench.world.jobs, method, times=2, late=late)
    assert bench.served(tts()).status is JobStatus.SUCCEEDED
    assert (bench.http.paid["hello"], bench.queue.delayed) == (1, [])


def test_a_result_that_cannot_be_settled_is_adopted_later_and_not_bought_again(bench: Bench) -> None:
    jobs = bench.world.jobs
    bench.world.jobs = Flaky(jobs, "settle")
    bench.handle(tts())
    bench.world.jobs = jobs
    bench.clock.advance(120)
    record = bench.served(bench.queue.due()[0])
    assert (record.status, bench.http.paid["hello"]) == (JobStatus.SUCCEEDED, 1)
    assert [lost.adopted for lost in record.interruptions] == [True]


def test_a_bucket_that_is_away_for_a_while_is_insisted_on(bench: Bench) -> None:
    bench.world.media = Flaky(bench.world.media, "put", times=4)
    assert bench.served(tts()).status is JobStatus.SUCCEEDED
    assert bench.http.paid["hello"] == 1


def test_a_paid_result_that_cannot_be_stored_is_told_with_its_cost_and_not_bought_again(bench: Bench) -> None:
    bench.world.media = Flaky(bench.world.media, "put")
    record = bench.served(tts(**BOTH))
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.FAILED, "result_not_stored")
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.DELIVERED]
    assert record.cost_usd > 0
    assert (record.outputs, bench.http.paid["hello"]) == ([], 1)
    assert sum(bench.clock.sleeps) > 30, "it insisted as long as the worker lived"


def test_telemetry_that_is_away_costs_a_result_nothing(bench: Bench) -> None:
    for method in ("load", "save"):
        bench.world.states = Flaky(bench.world.states, method)
    bench.world.metrics = Flaky(bench.world.metrics, "write")
    bench.http.plan("api.openai.com", throttled())
    record = bench.served(tts(**OPENAI))
    assert (record.status, record.latency_ms, bench.clock.sleeps) == (JobStatus.SUCCEEDED, 0, [])


def test_a_message_whose_deferral_cannot_be_sent_is_left_to_be_received_again(bench: Bench) -> None:
    bench.http.always("api.openai.com", throttled(30))
    bench.world.queue = Flaky(bench.world.queue, "send_later")
    with pytest.raises(StoreUnavailable):
        bench.handle(tts(**OPENAI))


def test_keys_that_have_never_been_read_defer_the_message(bench: Bench) -> None:
    bench.world.source = Flaky(bench.world.source, "load")
    bench.handle(tts())
    assert (len(bench.queue.delayed), bench.world.jobs.get("message-1")) == (1, None)


def test_a_fault_of_ours_is_settled_and_parked_and_never_tried_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediarelay.providers.openai.speech.OpenAiShapedSpeech.parse_response", _broken)
    bench.http.always("api.openai.com", speech())
    record = bench.served(tts(**BOTH))
    assert record.error is not None
    assert (record.status, record.error.code, bench.causes()) == (
        JobStatus.FAILED,
        "internal_error",
        ["internal_error"],
    )
    assert len(bench.http.calls) == 1
