"""What only takes: counters, metrics and links. The fakes and the adapters take the same."""

from __future__ import annotations

import json

import pytest

from mediarelay.metrics.emf import EmfCounters, EmfMetrics
from mediarelay.results.s3 import S3Links
from tests.builders.events import metric
from tests.doubles.recording import MemoryCounters, MemoryMetrics, PlainLinks
from tests.harness.local_aws import BUCKET, LocalAws

DIMENSIONS = {"provider": "fal-flux"}


def test_a_count_is_told_with_its_dimensions(capsys: pytest.CaptureFixture[str]) -> None:
    memory = MemoryCounters()
    for counters in (memory, EmfCounters("relay", "prod")):
        counters.count("LeasesUnavailable", DIMENSIONS)
    assert memory.counts == [("LeasesUnavailable", DIMENSIONS)]
    (written, _) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {name: written[name] for name in DIMENSIONS} == DIMENSIONS


def test_how_long_something_takes_is_told_for_the_stage(capsys: pytest.CaptureFixture[str]) -> None:
    memory = MemoryCounters()
    for counters in (memory, EmfCounters("relay", "prod")):
        counters.observe("MessageAge", 12.5)
    assert memory.observed == [("MessageAge", 12.5)]
    (written,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (written["MessageAge"], written["stage"]) == ([12.5], "prod")


def test_every_attempt_of_a_batch_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    batch = [metric("fal-flux", number) for number in range(3)]
    memory = MemoryMetrics()
    for sink in (memory, EmfMetrics("relay")):
        sink.write(batch)
    assert memory.attempts == batch
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["AttemptLatency"] for line in lines] == [[float(each.latency_ms)] for each in batch]


def test_a_link_names_the_object_both_ways(aws: LocalAws) -> None:
    for links in (PlainLinks(), S3Links(aws.s3, BUCKET, 60)):
        uri, url = links.sign("tts/a.mp3")
        assert uri.startswith("s3://")
        assert uri.endswith("/tts/a.mp3")
        assert url.startswith("https://")
        assert "tts/a.mp3" in url
