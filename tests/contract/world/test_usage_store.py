"""The totals of what was used: the fake and DynamoDB keep the same promises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mediarelay.usage.counting import Batch, Subject
from mediarelay.usage.dynamodb import DynamoUsage
from mediarelay.usage.ports import UsageStore
from tests.doubles.recording import MemoryUsage
from tests.harness.local_aws import USAGE, local_aws

NOW = 1_785_585_600
SUBJECT = Subject("2026-08-01", "acme", "openai-tts", "tts-1")
NOBODY = Subject("2026-08-02", "", "", "")
# As long as a stream's numbers are; a number of DynamoDB's has 38 digits.
FIRST, SECOND = 10**39 + 1, 10**39 + 7


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[UsageStore]:
    if request.param == "memory":
        yield MemoryUsage()
        return
    with local_aws() as account:
        yield DynamoUsage(account.dynamodb, USAGE)


def batch(last: int = FIRST, **amounts: int) -> Batch:
    return Batch(last, {SUBJECT: Counter(amounts or {"jobs": 1, "charged": 30_000_000})})


def test_nothing_is_counted_at_first(store: UsageStore) -> None:
    assert (store.counted("shard-1"), store.load(["2026-08-01"])) == (0, {})


def test_what_is_added_is_there_and_says_how_far_it_goes(store: UsageStore) -> None:
    assert store.add("shard-1", batch(), after=0, now=NOW)
    assert store.counted("shard-1") == FIRST
    assert store.load(["2026-08-01"]) == {SUBJECT: Counter(jobs=1, charged=30_000_000)}


def test_the_same_again_adds_nothing(store: UsageStore) -> None:
    store.add("shard-1", batch(), after=0, now=NOW)
    assert not store.add("shard-1", batch(SECOND), after=0, now=NOW)
    assert (store.counted("shard-1"), store.load(["2026-08-01"])[SUBJECT]["jobs"]) == (FIRST, 1)


def test_amounts_add_up_and_may_be_taken_back(store: UsageStore) -> None:
    store.add("shard-1", batch(jobs=2, perhaps_charged=5), after=0, now=NOW)
    store.add("shard-1", batch(SECOND, charged=4, perhaps_charged=-5), after=FIRST, now=NOW)
    found = store.load(["2026-08-01"])[SUBJECT]
    assert (found["jobs"], found["charged"], found["perhaps_charged"]) == (2, 4, 0)


def test_shards_add_to_the_same_total(store: UsageStore) -> None:
    for number in range(12):
        assert store.add(f"shard-{number}", batch(), after=0, now=NOW)
    assert store.load(["2026-08-01"])[SUBJECT]["jobs"] == 12


def test_days_are_apart_and_nobody_is_somebody(store: UsageStore) -> None:
    store.add("shard-1", Batch(FIRST, {SUBJECT: Counter(jobs=1), NOBODY: Counter(jobs=3)}), after=0, now=NOW)
    assert store.load(["2026-08-02"]) == {NOBODY: Counter(jobs=3)}
    assert store.load(["2026-08-01", "2026-08-02"]).keys() == {SUBJECT, NOBODY}


def test_of_many_workers_with_one_batch_one_adds_it(store: UsageStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        added = list(threads.map(lambda _: store.add("shard-1", batch(), after=0, now=NOW), range(8)))
    assert store.load(["2026-08-01"])[SUBJECT]["jobs"] == 1
    assert any(added)
