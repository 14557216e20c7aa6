"""What was used is counted once, however often and in whatever pieces the stream gives it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from mediarelay.job_records.contract import JobRecord
from mediarelay.usage.counting import Batch, SettledJob, Subject, amounts_of
from mediarelay.usage.usage import DIMENSIONS, TRIES, UsageCounter, as_csv, days_of, report
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, SpendingState
from tests.builders.requests import EPOCH_MS
from tests.doubles.clock import ManualClock
from tests.doubles.recording import MemoryUsage
from tests.doubles.trouble import Flaky

DAY = "2026-08-01"
SPEECH = Subject(DAY, "acme", "openai-tts", "tts-1")


def bought(state: SpendingState = SpendingState.CHARGED, **fields: Any) -> dict[str, Any]:
    given = {"provider": "openai-tts", "model": "tts-1", "estimate_usd": 0.04, "state": state, "cost_usd": 0.03}
    return {**given, **fields}


def settled(job_id: str = "job-1", **fields: Any) -> JobRecord:
    given: dict[str, Any] = {
        "status": JobStatus.SUCCEEDED,
        "received_at": EPOCH_MS,
        "settled_at": EPOCH_MS + 900,
        "latency_ms": 1500,
        "tenant": "acme",
        "provider": "openai-tts",
        "model": "tts-1",
        "purchases": [bought()],
    }
    return JobRecord.model_validate({"request_id": job_id, **given, **fields})


def change(after: JobRecord, before: JobRecord | None = None, number: int = 1) -> SettledJob:
    running = after.model_copy(update={"status": JobStatus.RUNNING, "settled_at": None, "purchases": []})
    return SettledJob(number, before or running, after)


def test_a_job_counts_with_what_it_cost_and_how_long_it_took() -> None:
    found = amounts_of(change(settled()))
    assert found == {
        SPEECH: Counter(jobs=1, succeeded=1, milliseconds=1500, purchases=1, charged=30_000_000),
    }


def test_what_was_bought_elsewhere_in_vain_counts_there_and_what_is_unknown_apart() -> None:
    in_vain = bought(provider="elevenlabs-tts", model="eleven_v3", cost_usd=0.1)
    unknown = bought(SpendingState.UNKNOWN, provider="elevenlabs-tts", model="eleven_v3", cost_usd=None)
    free = bought(SpendingState.NOT_CHARGED, provider="gemini-tts", cost_usd=None)
    found = amounts_of(change(settled(purchases=[in_vain, unknown, free, bought()])))
    assert found[Subject(DAY, "acme", "elevenlabs-tts", "eleven_v3")] == Counter(
        purchases=2, charged=100_000_000, uncertain=1, perhaps_charged=40_000_000
    )
    assert found[SPEECH]["charged"] == 30_000_000
    assert len(found) == 2


@pytest.mark.parametrize("status", ["failed", "expired", "rejected"])
def test_every_ending_is_told_apart(status: str) -> None:
    job = settled(status=status, provider=None, model=None, tenant=None, purchases=[], latency_ms=None)
    assert amounts_of(change(job)) == {Subject(DAY, "", "", ""): Counter({"jobs": 1, status: 1})}


def test_a_cached_result_is_a_job_that_cost_nothing() -> None:
    assert amounts_of(change(settled(cached=True, purchases=[], latency_ms=0))) == {
        SPEECH: Counter(jobs=1, succeeded=1, cached=1)
    }


def test_the_parts_of_a_text_are_in_the_whole() -> None:
    assert amounts_of(change(settled("job-1/0001-abc"))) == {}


@pytest.mark.parametrize("status", ["queued", "running", "deferred", "polling"])
def test_what_goes_on_does_not_count(status: str) -> None:
    assert amounts_of(change(settled(status=status, settled_at=None))) == {}


def test_what_changes_after_the_end_counts_with_its_difference() -> None:
    before = settled(purchases=[bought(SpendingState.UNKNOWN, cost_usd=None)])
    assert amounts_of(change(settled(), before)) == {
        SPEECH: Counter(charged=30_000_000, uncertain=-1, perhaps_charged=-40_000_000)
    }
    assert amounts_of(change(settled(ttl=5), settled())) == {}


def test_a_rejected_id_that_is_used_again_is_two_jobs() -> None:
    rejected = settled(status="rejected", purchases=[], provider=None, model=None)
    assert amounts_of(change(rejected))[Subject(DAY, "acme", "", "")]["jobs"] == 1
    assert amounts_of(change(settled()))[SPEECH]["jobs"] == 1


def test_a_record_of_a_version_without_purchases_counts_with_its_cost() -> None:
    assert amounts_of(change(settled(purchases=[], cost_usd=0.5)))[SPEECH]["charged"] == 500_000_000


def test_a_day_ends_at_midnight_utc() -> None:
    midnight = (EPOCH_MS // 86_400_000 + 1) * 86_400_000
    days = [next(iter(amounts_of(change(settled(settled_at=at))))).day for at in (midnight - 1, midnight)]
    assert days == ["2026-08-01", "2026-08-02"]


# --- once ---------------------------------------------------------------------------------------------------------


def counter(store: Any, seed: int = 0) -> UsageCounter:
    return UsageCounter(store, ManualClock(), random.Random(seed))


def jobs(count: int) -> list[SettledJob]:
    """Jobs of several tenants, numbered with gaps as those are whose records are of no interest."""
    return [change(settled(f"job-{n}", tenant=f"tenant-{n % 7}"), number=10 + 3 * n) for n in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_however_a_stream_repeats_bisects_and_delays_every_job_counts_once(seed: int) -> None:
    dice, store, changes = random.Random(seed), MemoryUsage(), jobs(60)
    worker = counter(store, seed)
    position = 0
    while position < len(changes):
        batch = changes[position : position + dice.randint(1, 15)]
        if dice.random() < 0.3:  # its answer is lost after some of it was counted
            worker.count("shard-1", batch[: dice.randint(1, len(batch))])
        worker.count("shard-1", batch)
        if dice.random() < 0.3:
            worker.count("shard-1", changes[dice.randint(0, position) : position + 1])
        position += len(batch)
    assert sum(amounts["jobs"] for amounts in store.load([DAY]).values()) == 60


def test_shards_do_not_know_of_each_others_numbers() -> None:
    store = MemoryUsage()
    for shard in ("shard-1", "shard-2"):
        counter(store).count(shard, jobs(5))
    assert sum(amounts["jobs"] for amounts in store.load([DAY]).values()) == 10


def test_more_totals_than_a_transaction_takes_go_in_several() -> None:
    store = MemoryUsage()
    many = [change(settled(f"job-{n}", tenant=f"tenant-{n}"), number=n + 1) for n in range(250)]
    counter(store).count("shard-1", many)
    assert [len(batch.totals) for batch in store.batches] == [99, 99, 52]
    counter(store).count("shard-1", many)
    assert sum(amounts["jobs"] for amounts in store.load([DAY]).values()) == 250


def test_an_answer_that_was_lost_is_not_added_again() -> None:
    store = MemoryUsage()
    counter(Flaky(store, "add", times=1, late=True)).count("shard-1", jobs(5))
    assert sum(amounts["jobs"] for amounts in store.load([DAY]).values()) == 5


def test_a_table_that_is_away_leaves_the_batch_to_come_again() -> None:
    store = MemoryUsage()
    with pytest.raises(StoreUnavailable):
        counter(Flaky(store, "add", times=TRIES)).count("shard-1", jobs(5))
    assert store.load([DAY]) == {}


def test_another_worker_with_the_same_batch_is_no_second_count() -> None:
    store, changes = MemoryUsage(), jobs(5)

    class Overtaken(MemoryUsage):
        """Another worker counts between this one's look and its write, once."""

        def add(self, shard: str, batch: Batch, *, after: int, now: int) -> bool:
            if not store.batches:
                counter(store).count(shard, changes)
            return store.add(shard, batch, after=after, now=now)

        def counted(self, shard: str) -> int:
            return store.counted(shard)

    counter(Overtaken()).count("shard-1", changes)
    assert sum(amounts["jobs"] for amounts in store.load([DAY]).values()) == 5


def test_the_end_of_a_window_is_nothing() -> None:
    store = MemoryUsage()
    counter(Flaky(store, "counted")).count("shard-1", [])
    assert store.batches == []


# --- reports ------------------------------------------------------------------------------------------------------


def totals(*subjects: Sequence[str]) -> dict[Subject, Counter[str]]:
    return {
        Subject(*names): Counter(jobs=1, succeeded=1, charged=1_500_000_000, milliseconds=500) for names in subjects
    }


def test_a_report_adds_up_what_is_not_told_apart() -> None:
    found = totals((DAY, "a", "x", "m"), (DAY, "b", "x", "m"), (DAY, "a", "y", "n"))
    day = date.fromisoformat(DAY)
    by_tenant = report(found, day, day, ["tenant"])
    assert [(each.tenant, each.jobs, each.cost_usd, each.provider) for each in by_tenant.totals] == [
        ("a", 2, 3.0, None),
        ("b", 1, 1.5, None),
    ]
    assert (by_tenant.whole.jobs, by_tenant.whole.seconds) == (3, 1.5)


def test_csv_has_a_header_and_a_line_for_each_total() -> None:
    found, day = totals((DAY, "a", "x", "m"), (DAY, "b", "x", "m")), date.fromisoformat(DAY)
    lines = as_csv(report(found, day, day, list(DIMENSIONS))).splitlines()
    assert lines[0].startswith("day,tenant,provider,model,jobs,succeeded,")
    assert [line.split(",")[:5] for line in lines[1:]] == [[DAY, "a", "x", "m", "1"], [DAY, "b", "x", "m", "1"]]


def test_days_are_told_one_by_one() -> None:
    assert days_of(date(2026, 2, 27), date(2026, 3, 1)) == ["2026-02-27", "2026-02-28", "2026-03-01"]
