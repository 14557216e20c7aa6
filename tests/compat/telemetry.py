"""Everything that the Telemetry table holds, written through the adapters."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final
from unittest.mock import patch
from uuid import UUID

from mediarelay.alerts.dynamodb import DynamoAlertPath
from mediarelay.health.circuit.half_open import HalfOpenPermit
from mediarelay.health.contract import Force, HealthRecord, Override
from mediarelay.health.dynamodb import DynamoHealth, DynamoSharedHealth
from mediarelay.health.dynamodb_overrides import DynamoOverrides
from mediarelay.health.judgement import Status
from mediarelay.health.local import Mark
from mediarelay.health.records import fresh_record, rewritten
from mediarelay.keys.contract import PoolKey, PoolState
from mediarelay.keys.dynamodb import DynamoKeyStates, DynamoPools
from mediarelay.keys.states import DISABLED_CODE, ENABLED_CODE, KeyStatus, KeyVerdict
from mediarelay.limits.dynamodb import DynamoLimits, ServerDate
from mediarelay.limits.fairness import Line
from mediarelay.limits.gcra import WHOLE_ACCOUNT, Acquire, Granted, LimitState
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.local_view import FleetClock
from mediarelay.long_jobs.dynamodb import DynamoSlots
from mediarelay.long_jobs.polling.dynamodb import DynamoCompletionTimes
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.counting import MetricRecord, count_into
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.metrics.dynamodb_buckets import DynamoBuckets
from mediarelay.metrics.ports import StoredBucket
from mediarelay.metrics.tally import Attempt, Bucket, Tally
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Outcome
from tests.compat.recorder import Recorder
from tests.doubles.clock import ManualClock
from tests.harness.local_aws import TELEMETRY

NOW: Final = 1_798_000_000.25
START: Final = 1_798_000_000
MS: Final = round(NOW * 1000)
PROVIDER: Final = "openai-tts"
LIMIT: Final = Limit(10.0, burst=5)
PHASES: Final = (("submit", Outcome.ACCEPTED), ("poll", Outcome.DELIVERED), ("completion", Outcome.DELIVERED))
ENTRIES: Final[tuple[tuple[str, Outcome, dict[str, Any]], ...]] = (
    ("delivered", Outcome.DELIVERED, {}),
    ("throttled", Outcome.THROTTLED, {"status": 429, "code": "rate_limit_exceeded"}),
    ("fault", Outcome.PROVIDER_FAULT, {"status": 503, "code": "overloaded"}),
    ("silence", Outcome.PROVIDER_FAULT, {"code": "connect_timeout"}),
)


def write(recorder: Recorder) -> None:
    """Fill the Telemetry table."""
    for part in (write_metrics, write_buckets, write_health, write_keys, write_limits, write_rest):
        part(recorder)


def write_metrics(recorder: Recorder) -> None:
    """Attempts of a call and of a job that takes minutes."""
    calls = [
        AttemptMetric(
            provider=PROVIDER,
            key_id="0123456789ab",
            request_id=f"job-{name}",
            outcome=outcome,
            started_at=MS + 10 * number,
            latency_ms=120 + number,
            **facts,
        )
        for number, (name, outcome, facts) in enumerate(ENTRIES)
    ]
    paid = calls[0].model_copy(update={"cost_usd": 0.00125})
    phases = [
        paid.model_copy(update={"provider": "kling-video", "phase": phase, "outcome": outcome})
        for phase, outcome in PHASES
    ]
    sink = DynamoMetrics(recorder.client, TELEMETRY)
    for number, batch in enumerate(([*calls, paid], phases)):
        with patch("uuid.uuid4", return_value=UUID(int=0x1234_5678 * 2**96 + number, version=4)):
            recorder.does(partial(sink.write, batch))


def write_buckets(recorder: Recorder) -> None:
    """Counts of ten seconds, written twice."""
    bucket, store = Bucket(START), DynamoBuckets(recorder.client, TELEMETRY)
    attempts = [
        Attempt(outcome, MS + number, 90 + 40 * number, code=facts.get("code"), status=facts.get("status"))
        for number, (_, outcome, facts) in enumerate(ENTRIES)
    ]
    polls = [Attempt(Outcome.DELIVERED, MS + number, 700 + number, phase="poll") for number in range(3)]
    for version, (number, counted) in enumerate([(10**20 + 1, attempts), (10**20 + 7, polls)]):
        count_into(bucket, [MetricRecord(PROVIDER, "3", number, counted)])
        recorder.does(partial(store.save, PROVIDER, StoredBucket(bucket, version)))


def write_health(recorder: Recorder) -> None:
    """A provider before its first call, one that goes down and comes back with its circuit, one that is forced; and
    the permits of providers that are suspect.
    """
    store = DynamoHealth(recorder.client, TELEMETRY)
    override = Override(
        subject="provider:fal-flux",
        force=Force.DOWN,
        author="ops",
        reason="migration",
        created_at=NOW,
        expires_at=NOW + 3600,
    )
    record = fresh_record(PROVIDER, now=NOW)
    recorder.does(partial(store.save, record))
    for version, moved in enumerate(_outage(record), start=1):
        recorder.does(partial(store.save, moved.model_copy(update={"version": version})))
    forced = fresh_record("fal-flux", now=NOW).model_copy(update={"override": override})
    recorder.does(partial(store.save, forced))
    recorder.does(partial(DynamoOverrides(recorder.client, TELEMETRY).put, override))
    disabled = override.model_copy(update={"subject": "key:openai:0123456789ab", "force": Force.DISABLED})
    recorder.does(partial(DynamoOverrides(recorder.client, TELEMETRY).put, disabled))
    shared, before = DynamoSharedHealth(recorder.client, TELEMETRY), HalfOpenPermit()
    for after in (before.failed(NOW, Mark("0a1b2c3d"), shared=True), before.taken("worker-1", until=NOW + 30.5)):
        recorder.does(partial(shared.swap, "kling-video", before, after))
        before = after.next_version()
    recorder.does(partial(shared.swap, "fal-flux", HalfOpenPermit(), HalfOpenPermit().taken("worker-2", until=NOW + 9)))


def _outage(record: HealthRecord) -> list[HealthRecord]:
    tally = Tally()
    for number, (_, outcome, facts) in enumerate(ENTRIES):
        tally.add(Attempt(outcome, MS + number, 90, code=facts.get("code"), status=facts.get("status")))
    window = {"call": tally}
    health = record.judged
    circuit = health.circuit.opened(NOW + 10)
    down = replace(health, status=Status.DOWN, since=NOW + 10, reason="3 faults in a row", circuit=circuit)
    first = rewritten(record, down, window, now=NOW + 10)
    again = rewritten(first, replace(down, circuit=circuit.reopened(NOW + 40, NOW + 40)), window, now=NOW + 40)
    well = replace(down, status=Status.HEALTHY, since=NOW + 95, reason="3 successes", circuit=circuit.closed(NOW + 95))
    pending = replace(well, pending=Status.DEGRADED, pending_since=NOW + 120, heard_from=NOW + 95)
    back = rewritten(again, well, {**window, "poll": tally}, now=NOW + 95)
    return [first, again, back, rewritten(back, pending, window, now=NOW + 120)]


def write_keys(recorder: Recorder) -> None:
    """A verdict of each status, on a key and on an account, at one provider and anywhere, and operators' words."""
    states, pools = DynamoKeyStates(recorder.client, TELEMETRY), DynamoPools(recorder.client, TELEMETRY)
    verdict = KeyVerdict("openai", "0123456789ab", "acme", None, KeyStatus.ACTIVE, None, 0, "", NOW, spreads=False)
    cooling = replace(verdict, provider=PROVIDER, status=KeyStatus.COOLING, until=NOW + 20.5, strikes=2, spreads=True)
    rejected = replace(verdict, status=KeyStatus.REJECTED, until=NOW + 300, strikes=1, code="invalid_api_key")
    for told in (
        replace(cooling, code="rate_limit_exceeded"),
        replace(cooling, provider=None, status=KeyStatus.EXHAUSTED, until=NOW + 3600, code="insufficient_quota"),
        rejected,
        replace(rejected, observed_at=NOW + 5, status=KeyStatus.ACTIVE, until=None, strikes=0, code=""),
        replace(rejected, key_id="ba9876543210", account="ba9876543210", provider=PROVIDER, until=None),
        replace(verdict, status=KeyStatus.DISABLED, until=NOW + 900, code=DISABLED_CODE),
        replace(verdict, key_id="ba9876543210", code=ENABLED_CODE),
    ):
        recorder.does(partial(states.save, told))
    members = [PoolKey(key_id="0123456789ab", account="acme"), PoolKey(key_id="ba9876543210", account="ba9876543210")]
    pool = PoolState(vendor="openai", status="usable", since=NOW, at=NOW, keys=2, members=members, usable=2)
    cooling_pool = {"status": "cooling", "since": NOW + 60, "at": NOW + 120, "usable": 0}
    recorder.does(partial(pools.save, pool))
    recorder.does(partial(pools.save, pool.model_copy(update=cooling_pool)))


def write_limits(recorder: Recorder) -> None:
    """Permits with and without a queue, slots, a learned rate that was cut, and keys that are blocked."""
    store = DynamoLimits(recorder.client, TELEMETRY, ServerDate(ManualClock(NOW), FleetClock()))

    def acquire(owner: str, count: int, **fields: Any) -> LimitState:
        moments = {"now": NOW, "not_after": NOW + 60, **fields}
        ask = Acquire(owner=owner, key_id="k1", count=count, limit=LIMIT, **moments)
        given: list[Any] = []
        recorder.does(lambda: given.append(store.take(PROVIDER, ask)))
        assert isinstance(given[0], Granted)
        return given[0].state

    acquire("at-ease", 1)
    queue = acquire("queue", 20, buckets=("3", "a"))
    queue = acquire("queue", 4, seen=queue, buckets=("3",))
    acquire("queue", 1, seen=queue, line=Line.NEWCOMER, now=NOW + 29.0)
    acquire("slots", 2, slots=("0", "1"), slots_until=NOW + 45.5)
    learned = LearnedRate(4.5, NOW - 100, 6.25, 17, NOW - 200.125)
    acquire("learned", 2, rebase=learned)
    limited = acquire("cut", 3, rebase=replace(learned, ceiling=None))
    # How far a cut moved `tat` has changed since; where it is written has not.
    after = replace(limited, tat=NOW + 3.74, newcomer_tat=None, epoch=1, queued={}, pace=learned, throttled_at=NOW + 1)
    recorder.does(partial(store.cut, PROVIDER, "cut", after))
    recorder.does(partial(store.block, PROVIDER, "blocked", WHOLE_ACCOUNT, NOW + 30))
    recorder.does(partial(store.block, PROVIDER, "blocked", "k1", NOW + 60.5))
    acquire("freed", 1, slots=("0", "2"), slots_until=NOW + 45.5)
    recorder.does(partial(store.release, PROVIDER, "freed", [("0", NOW + 45.5)]))


def write_rest(recorder: Recorder) -> None:
    """Slots of accounts, how long jobs took, what keeps the alerts' way warm, and who waits to be told."""
    slots, times = DynamoSlots(recorder.client, TELEMETRY), DynamoCompletionTimes(recorder.client, TELEMETRY)
    for job in ("job-1", "job-2", "job-3#kling-video"):
        take = partial(slots.take, "kling", "studio", job, limit=3, until=START + 900, now=START)
        recorder.does(take)
    recorder.does(partial(slots.shorten, "kling", "studio", "job-2", until=START + 60))
    recorder.does(partial(slots.release, "kling", "studio", "job-1"))
    for seconds in (81.25, 95.0, 63.4567):
        recorder.does(partial(times.add, "kling-video", "kling-v2-6", seconds))
    recorder.does(partial(DynamoAlertPath(recorder.client, TELEMETRY).keep_warm, NOW))
    waiting = {"pk": "WEBHOOK#fal", "sk": "request-1", "token": "task-token-1"}
    item = {name: {"S": text} for name, text in waiting.items()} | {"ttl": {"N": str(START + 3600)}}
    recorder.does(partial(recorder.client.put_item, TableName=TELEMETRY, Item=item))  # as the state machine does
