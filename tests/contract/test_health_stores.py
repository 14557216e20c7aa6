"""Buckets, records, overrides and trials: the fakes and the adapters under one contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediarelay.aws.stores import from_item
from mediarelay.health.circuit.half_open import HalfOpenPermit
from mediarelay.health.circuit.ports import SharedHealth
from mediarelay.health.circuit.record import Circuit
from mediarelay.health.contract import Force, HealthRecord, Override
from mediarelay.health.dynamodb import DynamoHealth, DynamoSharedHealth
from mediarelay.health.dynamodb_overrides import DynamoOverrides
from mediarelay.health.incident import Incident
from mediarelay.health.judgement import Status
from mediarelay.health.local import Mark
from mediarelay.health.ports import HealthStore, OverrideStore
from mediarelay.health.records import fresh_record
from mediarelay.metrics.counting import MetricRecord, count_into
from mediarelay.metrics.dynamodb_buckets import DynamoBuckets
from mediarelay.metrics.ports import BucketStore, StoredBucket
from mediarelay.metrics.tally import Attempt, Bucket, LastError
from mediarelay.vocabulary.outcome import Outcome
from tests.doubles.clock import EPOCH
from tests.doubles.health import MemoryBuckets, MemoryHealth, MemoryOverrides, MemorySharedHealth
from tests.harness.local_aws import TELEMETRY, LocalAws

START = round(EPOCH) - round(EPOCH) % 10
FAKES: dict[str, Any] = {
    "buckets": MemoryBuckets,
    "records": MemoryHealth,
    "overrides": MemoryOverrides,
    "board": MemorySharedHealth,
}
ADAPTERS: dict[str, Any] = {
    "buckets": DynamoBuckets,
    "records": DynamoHealth,
    "overrides": DynamoOverrides,
    "board": DynamoSharedHealth,
}


def _store(name: str, request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return FAKES[name]()
    aws: LocalAws = request.getfixturevalue("aws")
    return ADAPTERS[name](aws.dynamodb, TELEMETRY)


both = {"params": ["memory", "dynamodb"]}


@pytest.fixture(**both)
def buckets(request: pytest.FixtureRequest) -> BucketStore:
    store: BucketStore = _store("buckets", request)
    return store


@pytest.fixture(**both)
def records(request: pytest.FixtureRequest) -> HealthStore:
    store: HealthStore = _store("records", request)
    return store


@pytest.fixture(**both)
def overrides(request: pytest.FixtureRequest) -> OverrideStore:
    store: OverrideStore = _store("overrides", request)
    return store


@pytest.fixture(**both)
def board(request: pytest.FixtureRequest) -> SharedHealth:
    store: SharedHealth = _store("board", request)
    return store


def full_bucket(start: int) -> Bucket:
    attempts = [
        Attempt(Outcome.DELIVERED, start * 1000 + 1, 900),
        Attempt(Outcome.PROVIDER_FAULT, start * 1000 + 2, 5, "submit", "server_error", 500),
        Attempt(Outcome.TIMEOUT_SENT, start * 1000 + 3, 5),
    ]
    bucket = Bucket(start)
    count_into(bucket, [MetricRecord("p", "3", 10**39, attempts)])
    return bucket


# --- buckets --------------------------------------------------------------------------------------------------------


def test_a_bucket_comes_back_as_it_was_written(buckets: BucketStore) -> None:
    assert buckets.save("p", StoredBucket(full_bucket(START), 0))
    assert buckets.load("p", since=START) == {START: StoredBucket(full_bucket(START), 1)}


def test_buckets_are_found_by_provider_and_start(buckets: BucketStore) -> None:
    for name, start in (("p", START), ("p", START + 10), ("p", START - 10), ("q", START)):
        buckets.save(name, StoredBucket(full_bucket(start), 0))
    assert list(buckets.load("p", since=START)) == [START, START + 10]
    assert buckets.load("nobody", since=0) == {}


def test_of_two_writers_of_a_bucket_the_second_is_refused_and_changes_nothing(buckets: BucketStore) -> None:
    assert buckets.save("p", StoredBucket(full_bucket(START), 0))
    assert not buckets.save("p", StoredBucket(Bucket(START), 0))
    (stored,) = buckets.load("p", since=START).values()
    assert buckets.save("p", stored)
    assert not buckets.save("p", stored)
    (stored,) = buckets.load("p", since=START).values()
    assert (stored.version, stored.bucket) == (2, full_bucket(START))


# --- records --------------------------------------------------------------------------------------------------------


def record(provider: str = "openai-tts", **fields: Any) -> HealthRecord:
    return fresh_record(provider, now=EPOCH).model_copy(update=fields)


FULL = record(
    status=Status.DOWN,
    success_rate=0.25,
    avg_latency_ms=812.5,
    p95_ms=1234.5678,
    counts={Outcome.DELIVERED: 1, Outcome.OVERLOADED: 3},
    last_error=LastError(round(EPOCH * 1000), "overloaded", "server_is_overloaded", 503),
    circuit=Circuit(EPOCH - 0.123456, EPOCH + 29.876544, 2),
    incident=Incident().next("openai-tts", Status.DOWN, now=EPOCH + 0.1),
    override=Override(
        subject="provider:openai-tts",
        force=Force.DOWN,
        author="ann",
        reason="maintenance",
        created_at=EPOCH,
        expires_at=EPOCH + 60,
    ),
)


def test_a_record_comes_back_as_it_was_written(records: HealthStore) -> None:
    assert records.get("openai-tts") is None
    assert records.save(FULL)
    stored = FULL.model_copy(update={"version": 1})
    assert records.get("openai-tts") == stored
    records.save(record("fal-flux"))
    assert records.load()["openai-tts"] == stored
    assert set(records.load()) == {"openai-tts", "fal-flux"}


def test_of_two_writers_of_a_record_the_second_is_refused(records: HealthStore) -> None:
    assert records.save(record())
    assert not records.save(record())
    current = records.get("openai-tts")
    assert current is not None
    assert records.save(current)
    assert not records.save(current)


def test_the_write_that_tells_something_is_marked_for_the_streams_filter(aws: LocalAws) -> None:
    records = DynamoHealth(aws.dynamodb, TELEMETRY)
    records.save(FULL.model_copy(update={"last_check": EPOCH + 0.1}))
    (item,) = map(from_item, aws.items(TELEMETRY))
    assert (item["pk"], item["sk"], item["news"]) == ("HEALTH", "openai-tts", "opened")
    current = records.get("openai-tts")
    assert current is not None
    records.save(current.model_copy(update={"last_check": EPOCH + 5}))
    (item,) = map(from_item, aws.items(TELEMETRY))
    assert "news" not in item


# --- overrides ------------------------------------------------------------------------------------------------------


def test_an_override_replaces_the_one_on_the_same_subject_and_can_be_taken_back(overrides: OverrideStore) -> None:
    assert FULL.override is not None
    overrides.put(FULL.override)
    newer = FULL.override.model_copy(update={"force": Force.HEALTHY})
    overrides.put(newer)
    assert list(overrides.load()) == [newer]
    assert overrides.delete(newer.subject)
    assert not overrides.delete(newer.subject)
    assert list(overrides.load()) == []


# --- trials ---------------------------------------------------------------------------------------------------------

STRUCK = HalfOpenPermit("", EPOCH + 0.5, 1, EPOCH, marks=(Mark("0a1b2c3d", "tts-1"),))


def test_a_trial_comes_back_as_it_was_written_with_the_version_that_follows(board: SharedHealth) -> None:
    assert board.look().trials == {}
    assert board.swap("p", HalfOpenPermit(), STRUCK) is None
    first = replace(STRUCK, version=1)
    assert board.look().trials == {"p": first}
    assert board.swap("p", first, first.taken("me", until=EPOCH + 60)) is None
    assert board.look().trials == {"p": HalfOpenPermit("me", EPOCH + 60, 1, EPOCH, 2, STRUCK.marks)}
    assert board.look().records == {}


def test_who_swaps_what_others_have_changed_is_shown_what_stands_there(board: SharedHealth) -> None:
    assert board.swap("p", HalfOpenPermit(version=3), STRUCK) == HalfOpenPermit()  # gone meanwhile
    board.swap("p", HalfOpenPermit(), STRUCK)
    stands = replace(STRUCK, version=1)
    assert board.swap("p", HalfOpenPermit(), STRUCK.taken("me", until=EPOCH + 60)) == stands
    assert board.look().trials == {"p": stands}


def test_records_and_trials_lie_side_by_side_and_neither_is_taken_for_the_other(aws: LocalAws) -> None:
    both_of, records_of = DynamoSharedHealth(aws.dynamodb, TELEMETRY), DynamoHealth(aws.dynamodb, TELEMETRY)
    records_of.save(fresh_record("p", now=EPOCH))
    both_of.swap("p", HalfOpenPermit(), STRUCK)
    seen = both_of.look()
    assert (set(seen.records), set(seen.trials)) == ({"p"}, {"p"})
    assert seen.records == records_of.load()
