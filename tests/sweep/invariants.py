"""What must hold after a run, whatever happened in it; each function says what does not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import chain

from mediarelay.job_records.contract import PART, JobRecord
from mediarelay.job_records.job_spec import perhaps_paid
from mediarelay.vocabulary.kinds import JobStatus
from tests.sweep.faults import OUTAGES
from tests.sweep.stage import Stage
from tests.sweep.vendors import Charge

# Of one job, over all its deliveries and executions.
MOST_PURCHASES = 2
# What no vendor's bill and no record of ours means.
CENT_OF_A_CENT = 1e-6
MONTH, NANOS = "2026-08", 1e9
# Step Functions ends an execution with so many events; a state that is entered has five at most.
HISTORY = 25_000
EVENTS_A_STATE = 5
# A call's permit lapses by itself when its worker has died, and the slot of a clip that its vendor can't stop when it
# must be done there.
PERMIT_SECONDS, SLOT_SECONDS = 60.0, 900.0


def broken(stage: Stage) -> list[str]:
    """Whatever does not hold, in words."""
    rules = (settlements, events, purchases, costs, budgets, held, messages, course)
    return list(chain.from_iterable(rule(stage) for rule in rules))


def whole(stage: Stage) -> dict[str, JobRecord]:
    """The records of jobs: neither parts of one nor what only keeps an id."""
    records = stage.jobs.all().items()
    return {name: record for name, record in records if PART not in name and not record.branches}


def settlements(stage: Stage) -> Iterator[str]:
    """Each job is settled, once; or its message says why not."""
    often = Counter(
        after.request_id
        for before, after in stage.changes
        if after.status.settled and not (before and before.status.settled) and not after.part
    )
    yield from (f"{name} was settled {count} times" for name, count in often.items() if count > 1)
    if not _undecided(stage):
        yield from (f"{name} is {each.status}" for name, each in whole(stage).items() if not each.status.settled)


def events(stage: Stage) -> Iterator[str]:
    """Each settlement is told once; twice only where the topic's answer was lost, and then as the same event."""
    told = Counter(event.event_id for event, _ in stage.topic.published)
    jobs = Counter(name.rpartition("@")[0] for name in told)
    for name, record in whole(stage).items():
        if jobs[name] != record.status.settled:
            yield f"{name} is {record.status} and has {jobs[name]} events"
    again = [name for name, count in told.items() if count > 1]
    if again and stage.run.service != "topic":
        yield f"told again: {again}"


def purchases(stage: Stage) -> Iterator[str]:
    """One for each thing that is asked for; a second one stands in the ledger, and there is no third of one part."""
    for what, records in _asked(stage).items():
        bill, known = _bill(stage, what), sum(perhaps_paid(record.purchases) for record in records)
        often = Counter(charge.text for charge in bill)
        if any(count > MOST_PURCHASES * len(records) for count in often.values()):
            yield f"{what} was bought {max(often.values())} times"
        if not any(record.parts_total for record in records) and len(bill) > max(1, known):
            yield f"{what} was bought {len(bill)} times, and the ledger has {known}"
    if not _asked(stage) and stage.vendors.bill():
        yield "something was bought for no job"


def costs(stage: Stage) -> Iterator[str]:
    """What is settled costs what its vendors charge; or it says that this is not certain, and not less."""
    for what, records in _asked(stage).items():
        charged, cost = sum(charge.usd for charge in _bill(stage, what)), sum(record.cost_usd for record in records)
        certain, over = all(record.cost_certain for record in records), cost - charged
        settled = all(record.status.settled for record in records)
        if settled and (over < -CENT_OF_A_CENT or (certain and over > CENT_OF_A_CENT)):
            yield f"{what} costs ${cost:.4f} ({'certain' if certain else 'uncertain'}); ${charged:.4f} were charged"


def budgets(stage: Stage) -> Iterator[str]:
    """What was set aside for a job is settled with it, with what it cost."""
    records = whole(stage)
    if _undecided(stage) or any(not record.status.settled for record in records.values()):
        return
    cost = sum(record.cost_usd for record in records.values())
    for state in stage.budgets.month(MONTH):
        # What was set aside for a job that was never claimed, whose deadline passed while budgets were away, lapses.
        named = [name for name in state.entries if records[name].earmark or stage.run.away != "telemetry"]
        if named:
            yield f"of {state.payer} there is set aside: {state.entries}"
        if abs(sum(state.spent.values()) / NANOS - cost) > CENT_OF_A_CENT:
            yield f"{state.payer} has spent {state.spent}; its jobs cost ${cost:.4f}"


def held(stage: Stage) -> Iterator[str]:
    """At the end nobody holds anything; a slot that a cancellation could not return lapses with its job."""
    now = stage.clock.now()
    for (vendor, account), holders in stage.slots.holders.items():
        left = [job for job, until in holders.items() if until > now + SLOT_SECONDS]
        yield from (f"{job} holds a slot of {vendor} {account}" for job in left if not _alone(stage))
    for (provider, owner), state in stage.limits._items.items():
        permits = [slot for slot, until in state.slots.items() if until > now + PERMIT_SECONDS]
        yield from (f"{slot} of {provider} {owner} is held" for slot in permits)
    for name, record in stage.jobs.all().items():
        leased = record.claim_id is not None and (record.lease_until or 0) / 1000 > now
        if leased and record.status.settled:
            yield f"{name} is leased"
    if stage.uploads.open and stage.faults.struck is None:
        yield f"{stage.uploads.open} uploads were left"


def messages(stage: Stage) -> Iterator[str]:
    """A message that is neither done nor in the queue is parked with its cause."""
    for parked in stage.queue.dlq:
        if not parked.attributes.get("error_code"):
            yield f"{parked.message_id} is parked without a cause"
    yield from (f"{each.message_id} was received {each.receive_count} times" for each in stage.redriven)
    if not whole(stage) and not _undecided(stage):
        yield "the message is gone"


def course(stage: Stage) -> Iterator[str]:
    """It ends in time, no worker outlives its function, and no execution its history."""
    if stage.late:
        yield "it was not over at its time limit"
    yield from stage.overran
    if any(not record.status.settled for record in whole(stage).values()):
        yield from (f"the end of {each['detail']['status']} was not heard" for each in stage.unheard)
    for execution in stage.ran:
        entered = sum(execution.visits.values()) + sum(execution.retries.values())
        if entered * EVENTS_A_STATE > HISTORY:
            yield f"{execution.name} entered {entered} states"


def _alone(stage: Stage) -> bool:
    """Whether nobody is left to return a slot: the table was away when the job was cancelled."""
    cancelled = any(execution.status == "ABORTED" for execution in stage.ran)
    return cancelled and "telemetry" in OUTAGES.get(stage.run.away, ())


def _undecided(stage: Stage) -> bool:
    """Whether a request is still in the queue, or parked: what it asked for may be undone."""
    messages = [*stage.waiting.values(), *stage.queue.dlq, *stage.redriven]
    return any('"cancel"' not in each.body for each in messages)


def _asked(stage: Stage) -> dict[str, list[JobRecord]]:
    """The jobs of all that was asked for: identical requests together, each branch of strategy `all` by itself."""
    jobs = defaultdict(list)
    for name, record in whole(stage).items():
        if record.status is not JobStatus.REJECTED:
            jobs[name.partition("#")[2]].append(record)
    return jobs


def _bill(stage: Stage, provider: str) -> list[Charge]:
    """What was charged: for a branch, by its provider."""
    return [charge for charge in stage.vendors.bill() if provider.startswith(charge.vendor) or not provider]
