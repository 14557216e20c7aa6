"""What must hold after a run, whatever happened in it; each function says what does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from mediarelay.job_records.contract import PART, JobRecord
from mediarelay.job_records.job_spec import perhaps_paid
from mediarelay.vocabulary.kinds import JobStatus
from tests.sweep.stage import Stage
from tests.sweep.vendors import Charge

# Of one job, over all its deliveries and executions.
MOST_PURCHASES = 2
# What no vendor's bill and no record of ours means.
CENT_OF_A_CENT = 1e-6
# Step Functions ends an execution with so many events; a state that is entered has five at most.
HISTORY = 25_000
EVENTS_A_STATE = 5
# A call's permit lapses by itself when its worker has died, and the slot of a clip that its vendor can't stop when it
# must be done there.
PERMIT_SECONDS, SLOT_SECONDS = 60.0, 900.0


def broken(stage: Stage) -> list[str]:
    """Whatever does not hold, in words."""
    rules = (settlements, events, purchases, costs, held, messages, course)
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
    """One for each job; a second one stands in the ledger, and there is no third."""
    for name, record in whole(stage).items():
        bill, known = _bill(stage, name), perhaps_paid(record.purchases)
        often = Counter(charge.text for charge in bill)
        if any(count > MOST_PURCHASES for count in often.values()):
            yield f"{name} was bought {max(often.values())} times"
        if record.parts_total is None and len(bill) > max(1, known):
            yield f"{name} was bought {len(bill)} times, and its ledger has {known}"
    if not whole(stage) and stage.vendors.bill():
        yield "something was bought for no job"


def costs(stage: Stage) -> Iterator[str]:
    """A settled job costs what its vendors charge; or it says that this is not certain, and not less."""
    for name, record in whole(stage).items():
        charged = sum(charge.usd for charge in _bill(stage, name))
        over = record.cost_usd - charged
        if record.status.settled and (over < -CENT_OF_A_CENT or (record.cost_certain and over > CENT_OF_A_CENT)):
            certain = "certain" if record.cost_certain else "uncertain"
            yield f"{name} costs ${record.cost_usd:.4f} ({certain}); ${charged:.4f} were charged"


def held(stage: Stage) -> Iterator[str]:
    """At the end nobody holds anything."""
    now = stage.clock.now()
    for (vendor, account), holders in stage.slots.holders.items():
        left = [job for job, until in holders.items() if until > now + SLOT_SECONDS]
        yield from (f"{job} holds a slot of {vendor} {account}" for job in left)
    for (provider, owner), state in stage.limits._items.items():
        left = [slot for slot, until in state.slots.items() if until > now + PERMIT_SECONDS]
        yield from (f"{slot} of {provider} {owner} is held" for slot in left)
    for name, record in stage.jobs.all().items():
        if record.status.settled and (record.lease_until or 0) / 1000 > now:
            yield f"{name} is leased"
    if stage.uploads.open and not stage.faults.killed and stage.faults.struck is None:
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
    yield from (f"the end of {each['detail']['status']} was not heard" for each in stage.unheard)
    for execution in stage.ran:
        entered = sum(execution.visits.values()) + sum(execution.retries.values())
        if entered * EVENTS_A_STATE > HISTORY:
            yield f"{execution.name} entered {entered} states"


def _undecided(stage: Stage) -> bool:
    """Whether a message is still in the queue, or parked: what it asked for may be undone."""
    return bool(stage.waiting or stage.queue.dlq or stage.redriven)


def _bill(stage: Stage, job_id: str) -> list[Charge]:
    """What was charged for a job: of strategy `all`, by its own provider; of what was refused, nothing."""
    if stage.jobs.all()[job_id].status is JobStatus.REJECTED:
        return []
    provider = job_id.partition("#")[2]
    return [charge for charge in stage.vendors.bill() if not provider or provider.startswith(charge.vendor)]
