"""What the shipped code writes: the items that many requests share, measured as DynamoDB measures them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

from mediarelay.budgets.dynamodb import DynamoBudgets
from mediarelay.budgets.ports import Allowance, BudgetChange, Changed, Entry
from mediarelay.limits.dynamodb import SLOTS_AN_ITEM, DynamoLimits, ServerDate
from mediarelay.limits.fairness import TENANT_BUCKETS
from mediarelay.limits.gcra import Acquire, Denied
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.local_view import FleetClock
from mediarelay.long_jobs.dynamodb import DynamoSlots
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.dynamodb import SHARDS, DynamoMetrics
from mediarelay.providers.listing import providers
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Outcome
from tests.doubles.clock import EPOCH, ManualClock
from tests.harness.local_aws import TELEMETRY, local_aws
from tools.bench.costs.item_size import item_bytes
from tools.bench.costs.scenario import Batch, logged, run
from tools.bench.streams import aggregation

READ_UNIT_BYTES: Final = 4096
WRITE_UNIT_BYTES: Final = 1024
SLOTS: Final = SLOTS_AN_ITEM
JOBS_AT_ONCE: Final = 100  # of an account at a vendor of clips
_JOB: Final = "order-0123456789-0123456789"


@dataclass(frozen=True)
class Sizes:
    """Bytes of items, and what a batch of ten requests writes.

    Attributes:
        lease: The item of an account's limit without slots.
        lease_with_slots: The same while fifty calls hold a slot, which is the most of one item.
        holders: The item of an account's jobs of minutes while a hundred hold a slot.
        budget: The item of a payer's budget without a job that is open.
        budget_a_job: What each open job adds to it.
        health: All records of health together, one for each provider that is shipped.
        metrics: The item with the attempts of ten calls.
        shards: Over how many partition keys a provider's metrics are spread.
        batch: Ten requests through the shipped handlers.
    """

    lease: int
    lease_with_slots: int
    holders: int
    budget: int
    budget_a_job: int
    health: int
    metrics: int
    shards: int
    batch: Batch

    @property
    def health_look(self) -> float:
        """Read units of one look at all records, which need not be consistent."""
        return -(-self.health // READ_UNIT_BYTES) / 2

    @property
    def slot_units(self) -> int:
        """Write units of taking a permit or giving a slot back, where fifty are held."""
        return -(-self.lease_with_slots // WRITE_UNIT_BYTES)

    @property
    def holder_units(self) -> int:
        """Write units of taking or returning the slot of a job of minutes, where a hundred are held."""
        return -(-self.holders // WRITE_UNIT_BYTES)

    def budget_units(self, open_jobs: float) -> float:
        """Write units of a change of a budget from which so many jobs have something set aside."""
        return float(-(-(self.budget + open_jobs * self.budget_a_job) // WRITE_UNIT_BYTES))


@cache
def measured() -> Sizes:
    """Returns the sizes; the shipped stores write the items, over moto."""
    leases = _lease(()), _lease(tuple(map(str, range(SLOTS))))
    one, two = _budget(1), _budget(2)
    return Sizes(*leases, _holders(), 2 * one - two, two - one, _health(), _metrics(), SHARDS, run(10))


def _lease(slots: tuple[str, ...]) -> int:
    with local_aws() as aws:
        store = DynamoLimits(aws.dynamodb, TELEMETRY, ServerDate(ManualClock(), FleetClock()))
        limit = Limit(10.0, burst=600)
        for number in range(max(1, len(slots))):
            held, now = slots[number : number + 1], EPOCH + number
            until = now + 3600 if held else 0.0
            asked = Acquire(
                *("studio", "0123456789ab", 1, limit, now, now + 60),
                buckets=tuple(f"{bucket:x}" for bucket in range(TENANT_BUCKETS)),
                slots=held,
                slots_until=until,
                rebase=LearnedRate(base=8.123456, since=now, ceiling=9.123456, mark=1234, marked_at=now),
            )
            if isinstance(store.take("openai-tts", asked), Denied):
                raise TypeError("an item with every field cannot be written")
        return sum(map(item_bytes, aws.items(TELEMETRY)))


def _holders() -> int:
    with local_aws() as aws:
        store = DynamoSlots(aws.dynamodb, TELEMETRY)
        for number in range(JOBS_AT_ONCE):
            until = int(EPOCH) + 3600
            if not store.take("kling", "studio", f"{_JOB}{number:03}", limit=JOBS_AT_ONCE, until=until, now=int(EPOCH)):
                raise TypeError("a slot cannot be taken")
        return sum(map(item_bytes, aws.items(TELEMETRY)))


def _budget(jobs: int) -> int:
    with local_aws() as aws:
        store = DynamoBudgets(aws.dynamodb, TELEMETRY, lambda: EPOCH)
        entry, most = Entry(28, 15_000_000, "0123abcd", "openai-tts"), Allowance(10**12, 10**13)
        for number in range(jobs):
            asked = BudgetChange("tenant:acme", "2026-11", f"{_JOB}{number:03}", None, entry, allowance=most)
            if not isinstance(store.change(asked), Changed):
                raise TypeError("nothing can be set aside")
        return max(map(item_bytes, aws.items(TELEMETRY)))


def _health() -> int:
    with logged():  # a first verdict is a line of the log
        return aggregation.written(aggregation.METRICS).record_bytes * len(providers())


def _metrics() -> int:
    with local_aws() as aws:
        attempts = [
            AttemptMetric(
                request_id=f"order-{number:06d}",
                provider="openai-tts",
                key_id="0123456789ab",
                phase="call",
                outcome=Outcome.DELIVERED,
                status=200,
                started_at=int(EPOCH * 1000),
                latency_ms=1234,
            )
            for number in range(10)
        ]
        DynamoMetrics(aws.dynamodb, TELEMETRY).write(attempts)
        return sum(map(item_bytes, aws.items(TELEMETRY)))
