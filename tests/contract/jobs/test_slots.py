"""Concurrency slots and completion times: the fakes and DynamoDB keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mediarelay.long_jobs.dynamodb import DynamoSlots
from mediarelay.long_jobs.polling.completion import KEPT
from mediarelay.long_jobs.polling.dynamodb import DynamoCompletionTimes
from tests.doubles.long_jobs import MemorySlots, MemoryTimes
from tests.harness.local_aws import TELEMETRY, local_aws

NOW = 1_000_000


@pytest.fixture(params=["memory", "dynamodb"])
def slots(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "memory":
        yield MemorySlots()
        return
    with local_aws() as account:
        yield DynamoSlots(account.dynamodb, TELEMETRY)


@pytest.fixture(params=["memory", "dynamodb"])
def times(request: pytest.FixtureRequest) -> Iterator[Any]:
    if request.param == "memory":
        yield MemoryTimes()
        return
    with local_aws() as account:
        yield DynamoCompletionTimes(account.dynamodb, TELEMETRY)


def take(slots: Any, job: str, *, limit: int = 2, until: int = NOW + 100, now: int = NOW, account: str = "a") -> bool:
    return bool(slots.take("kling", account, job, limit=limit, until=until, now=now))


def test_an_account_has_as_many_slots_as_it_declares(slots: Any) -> None:
    assert [take(slots, name) for name in ("one", "two", "three")] == [True, True, False]
    assert take(slots, "three", account="b"), "another account's slots are its own"


def test_a_job_holds_one_slot_however_often_it_asks(slots: Any) -> None:
    assert [take(slots, "one") for _ in range(3)] == [True] * 3
    assert take(slots, "two")


def test_a_slot_is_given_back_once(slots: Any) -> None:
    take(slots, "one")
    assert [slots.release("kling", "a", "one") for _ in range(2)] == [True, False]
    assert not slots.release("kling", "nobody", "one")


def test_a_slot_that_was_given_back_serves_another(slots: Any) -> None:
    take(slots, "one", limit=1)
    assert not take(slots, "two", limit=1)
    slots.release("kling", "a", "one")
    assert take(slots, "two", limit=1)


def test_a_lost_holder_lapses(slots: Any) -> None:
    take(slots, "one", limit=1, until=NOW + 100)
    assert not take(slots, "two", limit=1, now=NOW + 100)
    assert take(slots, "two", limit=1, now=NOW + 101, until=NOW + 900)


def test_a_shortened_slot_lapses_sooner_and_is_never_prolonged(slots: Any) -> None:
    take(slots, "one", limit=1, until=NOW + 100)
    slots.shorten("kling", "a", "one", until=NOW + 10)
    slots.shorten("kling", "a", "one", until=NOW + 500)
    slots.shorten("kling", "a", "nobody", until=NOW + 500)
    assert take(slots, "two", limit=1, now=NOW + 11, until=NOW + 900)


def test_an_item_is_never_deleted_while_somebody_holds_a_slot_of_it() -> None:
    """DynamoDB deletes it at its `ttl`: the first take was long ago, the newest holder is of today."""
    with local_aws() as account:
        slots = DynamoSlots(account.dynamodb, TELEMETRY)
        month, hours = 30 * 24 * 3600, 4 * 3600
        take(slots, "first")
        slots.release("kling", "a", "first")
        for days in range(0, 60, 10):
            now = NOW + days * 24 * 3600
            take(slots, f"job-{days}", now=now, until=now + hours, limit=9)
            (item,) = account.items(TELEMETRY)
            assert int(item["ttl"]["N"]) >= now + month


def test_a_job_id_of_a_branch_is_a_holder_like_any_other(slots: Any) -> None:
    assert take(slots, "order-17.b#kling-video", limit=1)
    assert slots.release("kling", "a", "order-17.b#kling-video")


def test_two_workers_never_share_the_last_slot(slots: Any) -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda number: take(slots, f"job-{number}", limit=3), range(16)))
    assert sum(taken) == 3


def test_times_are_kept_by_provider_and_model_newest_last(times: Any) -> None:
    for seconds in (3.0, 1.5):
        times.add("kling-video", "kling-v3", seconds)
    assert list(times.load("kling-video", "kling-v3")) == [3.0, 1.5]
    assert list(times.load("kling-video", "kling-v2-6")) == []


def test_only_the_newest_times_are_kept(times: Any) -> None:
    for seconds in range(KEPT + 5):
        times.add("fal-stable-audio", "m", float(seconds))
    assert list(times.load("fal-stable-audio", "m")) == [float(seconds) for seconds in range(5, 37)]
