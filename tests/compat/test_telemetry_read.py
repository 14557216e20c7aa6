"""Today's code goes on with what the version before left in the Telemetry table."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import pytest

from mediarelay.alerts.dynamodb import DynamoAlertLog
from mediarelay.alerts.telemetry_stream import telemetry_change
from mediarelay.aws.stores import from_item
from mediarelay.health.dynamodb import DynamoHealth, DynamoSharedHealth
from mediarelay.health.dynamodb_overrides import DynamoOverrides
from mediarelay.keys.dynamodb import DynamoKeyStates, DynamoPools
from mediarelay.keys.states import KeyStatus
from mediarelay.limits.dynamodb import DynamoLimits, ServerDate
from mediarelay.limits.gcra import Acquire, Denied, Granted
from mediarelay.limits.local_view import FleetClock
from mediarelay.long_jobs.dynamodb import DynamoSlots
from mediarelay.long_jobs.polling.dynamodb import DynamoCompletionTimes
from mediarelay.long_jobs.webhooks.dynamodb import DynamoWaitingTasks
from mediarelay.metrics.dynamodb_buckets import DynamoBuckets
from mediarelay.metrics.stream import metric_batch
from tests.compat.files import fill, items, written_before
from tests.compat.telemetry import ENTRIES, LIMIT, NOW, PROVIDER, START
from tests.doubles.clock import ManualClock
from tests.harness.local_aws import TELEMETRY, LocalAws

KEPT_APART = {"pk", "sk", "ttl"}
OWNERS = ("at-ease", "blocked", "cut", "freed", "learned", "queue", "slots")


@pytest.fixture
def client(aws: LocalAws) -> Any:
    fill(aws, TELEMETRY)
    return aws.dynamodb


@pytest.fixture
def limits(client: Any) -> DynamoLimits:
    return DynamoLimits(client, TELEMETRY, ServerDate(ManualClock(NOW), FleetClock()))


def plain(partition: str) -> dict[str, dict[str, Any]]:
    """The items of a partition as plain Python, by sort key."""
    found = {key.partition(" ")[2]: item for key, item in items(TELEMETRY).items() if item["pk"]["S"] == partition}
    values = {key: from_item(item) for key, item in found.items()}
    return {key: {name: item[name] for name in item.keys() - KEPT_APART} for key, item in values.items()}


def told(values: dict[str, Any], item: dict[str, Any]) -> bool:
    """Whether what was read has every attribute of the item, and nothing else that is not absent."""
    return {name: value for name, value in values.items() if value is not None} == item


def test_verdicts_on_keys(client: Any) -> None:
    verdicts = DynamoKeyStates(client, TELEMETRY).load("openai")
    assert {verdict.status for verdict in verdicts} == set(KeyStatus)
    written = plain("KEY#openai").values()
    assert [asdict(verdict) for verdict in verdicts if not any(told(asdict(verdict), item) for item in written)] == []
    assert len(verdicts) == len(written)


def test_pools(client: Any) -> None:
    (state,) = DynamoPools(client, TELEMETRY).load().values()
    assert told(state.model_dump(mode="json"), plain("POOL")["openai"])


def test_health_records_and_permits(client: Any) -> None:
    records, snapshot = DynamoHealth(client, TELEMETRY).load(), DynamoSharedHealth(client, TELEMETRY).look()
    written = plain("HEALTH")
    assert snapshot.records == records
    assert {*records, *(f"TRIAL#{name}" for name in snapshot.trials)} == set(written)
    for name, record in records.items():
        assert DynamoHealth(client, TELEMETRY).get(name) == record
        said = record.model_dump(mode="json")
        assert {key: said[key] for key in written[name] if key != "news"} == {
            key: _with_absent(said[key], value) for key, value in written[name].items() if key != "news"
        }
        assert DynamoHealth(client, TELEMETRY).save(record)
    for name, permit in snapshot.trials.items():
        assert asdict(permit) == {**written[f"TRIAL#{name}"], "marks": ()}
        assert DynamoSharedHealth(client, TELEMETRY).swap(name, permit, permit.returned(NOW + 1)) is None


def _with_absent(said: Any, written: Any) -> Any:
    """What was written, with the fields that are null where it was read."""
    if isinstance(said, dict) and isinstance(written, dict):
        return {name: _with_absent(part, written.get(name)) for name, part in said.items()}
    return written


def test_overrides(client: Any) -> None:
    store = DynamoOverrides(client, TELEMETRY)
    found = {override.subject: override for override in store.load()}
    assert {subject: override.model_dump(mode="json") for subject, override in found.items()} == plain("OVERRIDE")
    assert all(store.delete(subject) for subject in found)


def test_buckets_are_counted_on(client: Any) -> None:
    store = DynamoBuckets(client, TELEMETRY)
    stored = store.load(PROVIDER, since=START)[START]
    assert stored.version == plain(f"BUCKET#{PROVIDER}")[str(START)]["version"]
    assert set(stored.bucket.phases["call"].counts) == {outcome for _, outcome, _ in ENTRIES}
    assert stored.bucket.phases["poll"].sketch.quantile(0.5) == pytest.approx(701, rel=0.01)
    assert stored.bucket.applied.covers("3", 10**20 + 7)
    assert store.save(PROVIDER, stored)


def test_metrics_of_the_stream() -> None:
    changes = [change for change in written_before(TELEMETRY) if _partition(change).startswith("METRIC#")]
    records, unreadable = metric_batch({"Records": changes})
    assert unreadable is None
    assert [(record.provider, len(record.attempts)) for record in records] == [("openai-tts", 5), ("kling-video", 3)]
    assert [attempt.code for attempt in records[0].attempts] == [*(entry[2].get("code") for entry in ENTRIES), None]
    assert [attempt.phase for attempt in records[1].attempts] == ["submit", "poll", "completion"]


def _partition(change: dict[str, Any]) -> str:
    return str(change["dynamodb"]["Keys"]["pk"]["S"])


def test_changes_that_operators_may_have_to_hear_of() -> None:
    for change in written_before(TELEMETRY):
        wanted = (
            _partition(change) in {"HEALTH", "POOL", "KEY#openai"} and "holder" not in change["dynamodb"]["NewImage"]
        )
        assert (telemetry_change(change) is not None) is wanted


def test_limits(limits: DynamoLimits) -> None:
    states = limits.look(PROVIDER, [OWNERS])
    written = plain(f"LEASE#{PROVIDER}")
    assert tuple(states) == OWNERS
    for owner, state in states.items():
        flat = {name: getattr(state, name) for name in ("tat", "epoch", "used", "throttled_at")}
        flat["lane"] = state.newcomer_tat
        flat |= {f"block:{name}": moment for name, moment in state.blocks.items()}
        flat |= {f"queue:{name}": moment for name, moment in state.queued.items()}
        flat |= {f"slot:{name}": moment for name, moment in state.slots.items()}
        if state.pace is not None:
            flat |= {f"pace:{field.name}": getattr(state.pace, field.name) for field in fields(state.pace)}
        assert {name: value for name, value in flat.items() if value or name in written[owner]} == written[owner]


def test_permits_are_taken_where_they_were_left(limits: DynamoLimits) -> None:
    states = limits.look(PROVIDER, [OWNERS])

    def take(owner: str, **given: Any) -> Granted | Denied:
        ask = Acquire(owner, "k1", 1, LIMIT, **{"now": NOW + 1, "not_after": NOW + 100, "seen": states[owner], **given})
        return limits.take(PROVIDER, ask)

    for owner in ("at-ease", "cut", "learned", "queue"):
        answer = take(owner)
        assert isinstance(answer, Granted)
        assert answer.state.used == states[owner].used + 1
    assert isinstance(take("blocked"), Denied)
    assert isinstance(take("blocked", now=NOW + 61), Granted)
    assert isinstance(take("slots", slots=("0",), slots_until=NOW + 60), Denied)
    limits.release(PROVIDER, "slots", [("0", states["slots"].slots["0"])])
    assert isinstance(take("slots", slots=("0",), slots_until=NOW + 60), Granted)


def test_slots_of_accounts(client: Any) -> None:
    slots = DynamoSlots(client, TELEMETRY)
    assert not slots.take("kling", "studio", "job-9", limit=2, until=START + 900, now=START)
    assert slots.take("kling", "studio", "job-9", limit=2, until=START + 900, now=START + 61)  # one was shortened
    assert slots.release("kling", "studio", "job-3#kling-video")


def test_how_long_jobs_took(client: Any) -> None:
    times = DynamoCompletionTimes(client, TELEMETRY)
    assert list(times.load("kling-video", "kling-v2-6")) == [81.25, 95.0, 63.457]
    times.add("kling-video", "kling-v2-6", 70.0)
    assert list(times.load("kling-video", "kling-v2-6")) == [81.25, 95.0, 63.457, 70.0]


def test_alerts_that_were_sent(client: Any) -> None:
    log, noted = DynamoAlertLog(client, TELEMETRY), plain("ALERT")
    assert sorted(alert.alert_id for alert in log.latest(50)) == sorted(noted)


def test_who_waits_to_be_told(client: Any) -> None:
    assert DynamoWaitingTasks(client, TELEMETRY, None).token("request-1") == "task-token-1"
