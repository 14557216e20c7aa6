"""What identical requests share: the fake and DynamoDB keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mediarelay.job_records.contract import Output
from mediarelay.reuse.contract import Reusable, ReuseEntry
from mediarelay.reuse.dynamodb import DynamoReuse
from mediarelay.reuse.ports import ReuseStore
from tests.builders.requests import EPOCH_MS
from tests.doubles.jobs import MemoryReuse
from tests.harness.local_aws import TELEMETRY, local_aws

KEY = "acme#0123"
NOTHING = ReuseEntry()
LATER = EPOCH_MS + 60_000


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[ReuseStore]:
    if request.param == "memory":
        yield MemoryReuse()
        return
    with local_aws() as account:
        yield DynamoReuse(account.dynamodb, TELEMETRY)


def result(job_id: str = "one", at: int = EPOCH_MS) -> Reusable:
    output = Output(key=f"tts/2026/08/01/{job_id}/openai-tts-0.mp3", content_type="audio/mpeg", bytes=3, sha256="ab")
    return Reusable(
        job_id=job_id,
        received_at=at - 1000,
        settled_at=at,
        provider="openai-tts",
        model="tts-1",
        voice="alloy",
        outputs=[output],
        warnings=["a warning"],
    )


def test_there_is_nothing_at_first(store: ReuseStore) -> None:
    assert store.load(KEY) == NOTHING


def test_one_buyer_is_let_in_and_the_others_see_it(store: ReuseStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        jobs = [f"job-{number}" for number in range(16)]
        answers = list(threads.map(lambda job: store.take(KEY, job, until=LATER, seen=NOTHING), jobs))
    (buyer,) = [job for job, answer in zip(jobs, answers, strict=True) if answer is None]
    assert [answer for answer in answers if answer is not None] == [ReuseEntry(buyer=buyer, until=LATER)] * 15
    assert store.load(KEY) == ReuseEntry(buyer=buyer, until=LATER)


def test_another_key_is_another_purchase(store: ReuseStore) -> None:
    assert store.take(KEY, "one", until=LATER, seen=NOTHING) is None
    assert store.take("other#0123", "two", until=LATER, seen=NOTHING) is None


def test_the_buyer_may_take_it_again(store: ReuseStore) -> None:
    store.take(KEY, "one", until=LATER, seen=NOTHING)
    assert store.take(KEY, "one", until=LATER + 5, seen=NOTHING) is None
    assert store.load(KEY).until == LATER + 5


def test_a_late_buyer_is_replaced_by_one_alone(store: ReuseStore) -> None:
    store.take(KEY, "one", until=LATER, seen=NOTHING)
    seen = store.load(KEY)
    assert store.take(KEY, "two", until=LATER + 9, seen=seen) is None
    assert store.take(KEY, "three", until=LATER + 9, seen=seen) == ReuseEntry(buyer="two", until=LATER + 9)


def test_a_buyer_that_came_to_life_is_not_replaced(store: ReuseStore) -> None:
    store.take(KEY, "one", until=LATER, seen=NOTHING)
    seen = store.load(KEY)
    store.hold(KEY, "one", until=LATER + 9)
    assert store.take(KEY, "two", until=LATER + 9, seen=seen) == ReuseEntry(buyer="one", until=LATER + 9)


def test_a_result_comes_back_as_it_was_published(store: ReuseStore) -> None:
    store.take(KEY, "one", until=LATER, seen=NOTHING)
    store.publish(KEY, "one", result())
    assert store.load(KEY) == ReuseEntry(result=result())


def test_only_its_buyer_publishes_holds_and_frees(store: ReuseStore) -> None:
    store.take(KEY, "one", until=LATER, seen=NOTHING)
    store.publish(KEY, "two", result("two"))
    store.hold(KEY, "two", until=LATER + 9)
    store.free(KEY, "two")
    assert store.load(KEY) == ReuseEntry(buyer="one", until=LATER)
    store.free(KEY, "nobody")


def test_who_gives_up_leaves_it_to_the_next(store: ReuseStore) -> None:
    store.take(KEY, "one", until=LATER, seen=NOTHING)
    store.free(KEY, "one")
    assert store.load(KEY) == NOTHING
    assert store.take(KEY, "two", until=LATER, seen=NOTHING) is None


def test_a_result_that_came_meanwhile_is_shown_instead_of_bought_again(store: ReuseStore) -> None:
    store.take(KEY, "one", until=LATER, seen=NOTHING)
    store.publish(KEY, "one", result())
    assert store.take(KEY, "two", until=LATER, seen=NOTHING) == ReuseEntry(result=result())


def test_who_buys_anew_leaves_the_older_result_to_the_others(store: ReuseStore) -> None:
    store.take(KEY, "one", until=LATER, seen=NOTHING)
    store.publish(KEY, "one", result())
    assert store.take(KEY, "two", until=LATER, seen=store.load(KEY)) is None
    assert store.load(KEY) == ReuseEntry(result=result(), buyer="two", until=LATER)
    store.publish(KEY, "two", result("two", LATER))
    assert store.load(KEY) == ReuseEntry(result=result("two", LATER))
