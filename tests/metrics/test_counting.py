"""Exactly once: whatever a stream does to its batches, the buckets equal those of the plain list of attempts."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mediarelay.metrics.counted_runs import AppliedRuns
from mediarelay.metrics.counting import MetricRecord, by_bucket, count_into, doubt_in, doubts_of
from mediarelay.metrics.tally import Attempt, Bucket, Tally, bucket_start, cause_of, merged
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.dice import dice

T0 = 1_780_000_000_000
ATTEMPTS = st.builds(
    Attempt,
    outcome=st.sampled_from(list(Outcome)),
    started_at=st.integers(T0, T0 + 60_000),
    latency_ms=st.integers(0, 30_000),
    phase=st.sampled_from(["call", "submit"]),
    code=st.sampled_from([None, "a", "b"]),
    status=st.sampled_from([None, 500, 503]),
    cause=st.sampled_from(["", *"abcdefghijkl"]),
    model=st.sampled_from(["", "m", "n"]),
    repeated=st.booleans(),
    elsewhere=st.sampled_from([(), (), ("q",)]),
)
# For each of two shards, the records in their order: a lane and some attempts.
SHARDS = st.lists(
    st.lists(st.tuples(st.sampled_from("xy"), st.lists(ATTEMPTS, min_size=1, max_size=4)), max_size=25),
    min_size=2,
    max_size=2,
)
Records = Sequence[MetricRecord]


def records_of(shards: list[list[tuple[str, list[Attempt]]]]) -> list[list[MetricRecord]]:
    """Lanes never span shards; sequence numbers have gaps, since the stream carries other items too."""
    return [
        [MetricRecord("p", f"{shard}{lane}", 10**20 + 7 * n, attempts) for n, (lane, attempts) in enumerate(entries)]
        for shard, entries in enumerate(shards)
    ]


def deliveries(shards: list[list[MetricRecord]], rng: Random) -> list[Records]:
    """Batches as a stream may deliver them: cut anywhere, whole again, halved, from the middle on, shards interleaved,
    and now and then long after later ones."""
    queues = []
    for shard in shards:
        batches: list[Records] = []
        position = 0
        while position < len(shard):
            batch = shard[position : position + rng.randint(1, 8)]
            position += len(batch)
            batches.append(batch)
            middle = rng.randrange(len(batch) + 1)
            again: list[list[Records]] = [[], [batch], [batch[:middle], batch[middle:]], [batch[middle:]], [batch] * 3]
            batches.extend(rng.choice(again))
        queues.append(batches)
    out: list[Records] = []
    while any(queues):
        queue = rng.choice([queue for queue in queues if queue])
        out.append(queue.pop(0))
    out.extend(rng.sample(out, k=min(3, len(out))))
    return [batch for batch in out if batch]


def deliver(buckets: dict[int, Bucket], batch: Records) -> None:
    for start, touching in by_bucket(batch).get("p", {}).items():
        count_into(buckets.setdefault(start, Bucket(start)), touching)


def plain(attempts: list[Attempt]) -> dict[int, dict[str, Tally]]:
    buckets: dict[int, Bucket] = {}
    for attempt in attempts:
        start = bucket_start(attempt.ended_at)
        buckets.setdefault(start, Bucket(start)).add(attempt)
    return {start: bucket.phases for start, bucket in buckets.items()}


@given(shards=SHARDS, seed=st.integers(0, 2**32))
def test_replayed_bisected_interleaved_and_late_batches_count_each_attempt_once(
    shards: list[list[tuple[str, list[Attempt]]]], seed: int
) -> None:
    records = records_of(shards)
    buckets: dict[int, Bucket] = {}
    for batch in deliveries(records, dice(seed)):
        deliver(buckets, batch)
    attempts = [attempt for shard in records for record in shard for attempt in record.attempts]
    assert {start: bucket.phases for start, bucket in buckets.items()} == plain(attempts)


@given(shards=SHARDS, seed=st.integers(0, 2**32))
def test_a_worker_that_dies_between_two_buckets_leaves_nothing_out_and_nothing_twice(
    shards: list[list[tuple[str, list[Attempt]]]], seed: int
) -> None:
    rng, records = dice(seed), records_of(shards)
    buckets: dict[int, Bucket] = {}
    for shard in records:
        touched = list(by_bucket(shard).get("p", {}).items())
        for start, touching in rng.sample(touched, k=rng.randrange(len(touched) + 1)):
            count_into(buckets.setdefault(start, Bucket(start)), touching)
        deliver(buckets, shard)
    attempts = [attempt for shard in records for record in shard for attempt in record.attempts]
    assert {start: bucket.phases for start, bucket in buckets.items()} == plain(attempts)


@given(attempts=st.lists(ATTEMPTS, max_size=60), seed=st.integers(0, 2**32))
def test_a_window_is_the_same_however_it_was_put_together(attempts: list[Attempt], seed: int) -> None:
    whole: dict[str, Tally] = {}
    for attempt in attempts:
        whole.setdefault(attempt.phase, Tally()).add(attempt)
    buckets = [Bucket(start, phases) for start, phases in plain(attempts).items()]
    dice(seed).shuffle(buckets)
    assert merged(buckets) == whole


def test_a_record_the_stream_gave_up_is_counted_when_somebody_delivers_it_by_hand() -> None:
    attempt = Attempt(Outcome.DELIVERED, T0, 5)
    first, lost, third = (MetricRecord("p", "x", number, [attempt]) for number in (10, 20, 30))
    buckets: dict[int, Bucket] = {}
    for batch in ([first], [third], [lost], [lost], [first, lost, third]):
        deliver(buckets, batch)
    (bucket,) = buckets.values()
    assert bucket.phases["call"].samples == 3


def test_what_is_remembered_grows_with_the_batches_not_with_the_records() -> None:
    attempt = Attempt(Outcome.DELIVERED, T0, 5)
    batch = [MetricRecord("p", "x", number, [attempt]) for number in range(1000)]
    buckets: dict[int, Bucket] = {}
    deliver(buckets, batch)
    (bucket,) = buckets.values()
    assert bucket.applied.by_shard == {"x": [(0, 999)]}


def test_runs_that_merely_follow_each_other_stay_apart_and_overlapping_ones_join() -> None:
    runs = AppliedRuns()
    for first, last in ((10, 20), (30, 40), (21, 29)):
        runs.add("x", first, last)
    assert len(runs.by_shard["x"]) == 3
    runs.add("x", 15, 35)
    assert runs.by_shard["x"] == [(10, 40)]
    assert AppliedRuns.from_strings(runs.as_strings()) == runs
    assert [runs.covers("x", number) for number in (9, 10, 25, 40, 41)] == [False, True, True, True, False]
    assert not runs.covers("y", 25)


def fault(start: int, cause: str = "", **fields: Any) -> Attempt:
    return Attempt(Outcome.PROVIDER_FAULT, T0 + start, 0, cause=cause, **fields)


def good(start: int, model: str = "") -> Attempt:
    return Attempt(Outcome.DELIVERED, T0 + start, 0, model=model)


def tally(*attempts: Attempt) -> Tally:
    found = Tally()
    for attempt in attempts:
        found.add(attempt)
    return found


def test_a_requests_further_faults_count_nothing_whether_the_worker_says_so_or_not() -> None:
    by_cause = tally(good(0), *(fault(n, "a") for n in range(1, 9)))
    assert (by_cause.fault_run, len(by_cause.telling)) == (1, 1)
    by_flag = tally(good(0), fault(1, "a"), *(fault(n, "a", repeated=True) for n in range(2, 9)))
    assert (by_flag.fault_run, by_flag.faulted, by_flag.samples) == (1, 1, 2)
    assert by_flag.counts[Outcome.PROVIDER_FAULT] == 8


def test_a_request_that_fails_elsewhere_too_takes_back_its_first_fault() -> None:
    found = tally(good(0), fault(1, "a"), fault(2, "b"), fault(3, "a", repeated=True, elsewhere=("q",)))
    assert (list(found.telling), found.fault_run, found.faulted, found.lost_run) == (["b"], 1, 1, 2)


def test_the_newest_of_many_causes_are_kept_by_their_newest_fault() -> None:
    found = tally(*(fault(n, f"c{n}") for n in range(1, 20)), fault(20, "c1"))
    assert sorted(found.faults) == sorted(["c1", *(f"c{n}" for n in range(13, 20))])


def test_the_other_models_are_told_apart() -> None:
    found = tally(good(0, "m"), fault(1, "a", model="n"), good(2, "m"), fault(3, "b", model="n"), good(4, "n"))
    others = found.without("n")
    assert (others.samples, others.succeeded, others.fault_run) == (2, 2, 0)
    others = found.without("m")
    assert (others.samples, others.faulted, others.success_rate) == (3, 2, 1 / 3)


@given(shards=SHARDS, seed=st.integers(0, 2**32))
def test_doubts_are_the_same_however_often_they_come(shards: list[list[tuple[str, list[Attempt]]]], seed: int) -> None:
    records = records_of(shards)
    once, often = Bucket(0), Bucket(0)
    everything = [record for shard in records for record in shard]
    doubts = [doubt for batch in doubts_of(everything).get("q", {}).values() for doubt in batch]
    doubt_in(once, doubts)
    for batch in deliveries(records, dice(seed)):
        for found in doubts_of(batch).get("q", {}).values():
            doubt_in(often, found)
    assert once.phases == often.phases
    assert not doubt_in(often, doubts)


def test_a_requests_parts_and_a_fan_outs_jobs_have_one_cause() -> None:
    assert cause_of("acme!job-1") == cause_of("acme!job-1/0003-abc") == cause_of("acme!job-1#fal-flux")
    assert cause_of("job-1") != cause_of("acme!job-1")
