from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.writer import BUFFER_LIMIT, TelemetryWriter
from mediarelay.vocabulary.outcome import Outcome
from tests.doubles.keys import MemoryKeyStates
from tests.doubles.recording import MemoryMetrics
from tests.doubles.trouble import Flaky


class Broken:
    """A sink with a fault of ours in it."""

    def write(self, metrics: Sequence[AttemptMetric]) -> None:
        raise KeyError(len(metrics))


def metric(number: int) -> AttemptMetric:
    return AttemptMetric(
        provider="openai-tts",
        key_id="0123456789ab",
        request_id=f"job-{number}",
        outcome=Outcome.DELIVERED,
        started_at=number,
        latency_ms=1,
    )


def test_one_flush_is_one_write_and_leaves_nothing_to_write_twice() -> None:
    sink = MemoryMetrics()
    writer = TelemetryWriter(MemoryKeyStates(), [sink])
    for number in range(3):
        writer.metric(metric(number))
    for _ in range(2):
        writer.flush(5)
    assert sink.writes == [[metric(number) for number in range(3)]]


def test_a_sink_that_is_away_or_broken_costs_the_others_nothing_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    sink = MemoryMetrics()
    writer = TelemetryWriter(MemoryKeyStates(), [Flaky(sink, "write"), Broken(), sink])
    writer.metric(metric(1))
    writer.flush(5)
    assert sink.attempts == [metric(1)]
    told = {(record.levelno, record.getMessage()) for record in caplog.records}
    assert told == {
        (logging.WARNING, "telemetry lost"),
        (logging.ERROR, "telemetry lost to a fault of ours"),
    }


def test_the_newest_metrics_are_kept_when_too_many_wait(caplog: pytest.LogCaptureFixture) -> None:
    sink = MemoryMetrics()
    writer = TelemetryWriter(MemoryKeyStates(), [sink])
    for number in range(BUFFER_LIMIT + 2):
        writer.metric(metric(number))
    writer.flush(5)
    assert [kept.started_at for kept in sink.attempts] == list(range(2, 1002))
    assert "metrics dropped" in caplog.text
