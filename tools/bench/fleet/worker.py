"""A Lambda worker in virtual time: what `services` does with a batch, around the same core."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import simpy

from mediarelay.keys.pool import Candidate, RoundRobin
from mediarelay.limits.acquiring import (
    Cut,
    CutMade,
    Look,
    NoPermit,
    Note,
    Permit,
    PermitOrNot,
    PermitRequest,
    Purpose,
    Seen,
    TableAnswers,
    Take,
    acquiring,
    reservation_of,
)
from mediarelay.limits.fairness import tenant_bucket
from mediarelay.limits.gcra import WHOLE_ACCOUNT
from mediarelay.limits.learning import Refusal, learning
from mediarelay.limits.local_view import Account, FleetClock, LimitsView
from mediarelay.limits.planning import delay_seconds, lead_seconds, max_wait_seconds, unreserved
from tools.bench.fleet.foresight import Buckets
from tools.bench.fleet.queue import Message, Queue
from tools.bench.fleet.scenario import EPOCH, Policy, Scenario, Tally
from tools.bench.fleet.table import Table
from tools.bench.fleet.vendor import Reply, Vendor

PROVIDER: Final = "provider"
HORIZON_SECONDS: Final = 890.0
TRIES: Final = 4
REFUSAL_SECONDS: Final = 0.02
RETRY_SECONDS: Final = 10.0
REJECTED_SECONDS: Final = 3600.0
HOLD_SECONDS: Final = 10.0
BUSY_SECONDS: Final = 0.25
# What a key pool of its own does without a wait header: its first term, half of it at least.
COOLING_SECONDS: Final = 5.0

Steps = Generator[simpy.Event, Any, Any]


@dataclass
class World:
    """What all workers share."""

    env: simpy.Environment
    scenario: Scenario
    tally: Tally
    queue: Queue
    table: Table
    vendor: Vendor
    rng: Random
    everybody: Sequence[Account]
    buckets: Buckets

    @property
    def elapsed(self) -> float:
        """Seconds from the start of the run."""
        return self.env.now - EPOCH

    def store(self) -> simpy.Event:
        """What a DynamoDB call takes."""
        return self.env.timeout(self.rng.uniform(0.003, 0.006))


@dataclass
class Worker:
    """One worker, and what it remembers between batches."""

    world: World
    skew: float
    clock: FleetClock = field(default_factory=FleetClock)
    view: LimitsView = field(init=False)
    benched: dict[str, float] = field(default_factory=dict)
    rotation: RoundRobin = field(default_factory=RoundRobin)

    def __post_init__(self) -> None:
        self.view = LimitsView(workers=self.world.scenario.workers)

    @property
    def now(self) -> float:
        """The fleet's clock, as far as this worker knows it."""
        return self.world.env.now + self.skew + self.clock.offset

    # --- a batch --------------------------------------------------------------------------------------------------

    def batch(self, messages: list[Message]) -> Steps:
        """Serve them all; ends when the last one has."""
        world = self.world
        yield world.store()  # the claims, side by side
        world.tally.job_writes += len(messages)
        alive = [each for each in messages if not self._expired(each)]
        if alive and world.rng.random() < world.scenario.deaths:
            yield from self._die(messages, alive)
            return
        verdicts = yield from self.lease(alive, max_wait=max_wait_seconds(len(alive)))
        waiting = [
            (each, verdict) for each, verdict in zip(alive, verdicts, strict=True) if isinstance(verdict, NoPermit)
        ]
        calls = [
            world.env.process(self._serve(each, verdict))
            for each, verdict in zip(alive, verdicts, strict=True)
            if isinstance(verdict, Permit)
        ]
        if waiting:
            yield from self._defer([each for each, _ in waiting], waiting[0][1])
        yield from calls

    def _expired(self, message: Message) -> bool:
        if self.world.env.now < message.expires_at:
            return False
        self.world.tally.expired += 1
        self.world.queue.settled(message)
        return True

    def _die(self, messages: Sequence[Message], alive: Sequence[Message]) -> Steps:
        """Lease, then stop: permits and slots are held by nobody, messages come back when they are visible again."""
        yield from self.lease(alive, max_wait=0.0)
        self.view = LimitsView(workers=self.world.scenario.workers)
        for message in messages:
            self.world.queue.settled(message)
            if message.receives >= 5:  # noqa: PLR2004 # the template's maxReceiveCount
                self.world.tally.dead_letters += 1
            else:
                self.world.queue.send(message, 20.0)

    # --- permits --------------------------------------------------------------------------------------------------

    def accounts(self, avoid: Sequence[str] = ()) -> Sequence[Account]:
        """The accounts with a key that is not benched."""
        if not self.benched and not avoid:
            return self.world.everybody
        now, found = self.now, []
        for account in self.world.everybody:
            moments = [(key, self.benched.get(key, 0.0)) for key, _ in account.key_ids if key not in avoid]
            usable = tuple((key, at) for key, at in moments if at < now + HORIZON_SECONDS)
            if usable:
                found.append(Account(account.name, usable, account.declared))
        return found

    def lease(
        self, messages: Sequence[Message], *, max_wait: float, avoid: Sequence[str] = (), for_requeue: bool = False
    ) -> Steps:
        """Drive the conversation; returns the verdicts."""
        world = self.world
        if not messages:
            return []
        permit_requests = [
            PermitRequest(tenant_bucket(each.tenant) if each.tenant else None, each.reservation) for each in messages
        ]
        world.tally.lost_promises += sum(each.reservation is not None for each in messages)
        if world.scenario.policy is Policy.OFF:
            return [self._own_choice(avoid)] * len(messages)
        purpose = Purpose(PROVIDER, self.now + max_wait, HOLD_SECONDS, for_requeue)
        talk = acquiring(permit_requests, self.accounts(avoid), self.view, purpose, now=self.now, rng=world.rng)
        verdicts: list[PermitOrNot] = yield from self._drive(talk)
        for message, verdict in zip(messages, verdicts, strict=True):
            kept = message.reservation and isinstance(verdict, Permit) and verdict.start == message.reservation.start
            on_time = message.reservation and isinstance(verdict, Permit) and verdict.owner == message.reservation.owner
            world.tally.lost_promises -= bool(kept or on_time)
            message.reservation = None
        return verdicts

    def _own_choice(self, avoid: Sequence[str]) -> PermitOrNot:
        """Without leases: any key that is not cooling, as far as this worker knows."""
        moments = [key for account in self.accounts(avoid) for key in account.key_ids]
        free = tuple(key for key, at in moments if at <= self.now)
        if free:
            return Permit("", free, self.now)
        return NoPermit(min((at for _, at in moments), default=None))

    def _look(self, step: Look) -> Steps:
        sent = self.world.env.now
        states = self.world.table.look([name for run in step.runs for name in run], self.world.elapsed)
        yield self.world.store()
        self._observe(sent)
        return Seen(self.now, states)

    def _take(self, step: Take) -> Steps:
        sent = self.world.env.now
        yield self.world.store()
        answers = tuple(self.world.table.take(ask, self.world.elapsed) for ask in step.asks)
        self._observe(sent)
        return TableAnswers(self.now, answers)

    def _observe(self, sent: float) -> None:
        now = self.world.env.now
        self.clock.observe(math.floor((sent + now) / 2), sent=sent + self.skew, received=now + self.skew)

    # --- a call ---------------------------------------------------------------------------------------------------

    def _serve(self, message: Message, permit: Permit) -> Steps:
        """Call, and rotate while the vendor refuses."""
        world, avoid, later = self.world, [], NoPermit(None)
        for _ in range(TRIES):
            key = self._chosen(permit)
            wait = permit.start - self.now
            if wait > 0:
                yield world.env.timeout(wait)
            if not permit.owner:
                self.view.called(f"{int(key.partition('.')[0]):03d}", self.now)
            refusal = yield from self._call(message, key, permit)
            if refusal is None:
                return
            avoid.append(key)
            verdicts = yield from self.lease([message], max_wait=max_wait_seconds(1), avoid=avoid)
            if isinstance(verdicts[0], NoPermit):
                later = verdicts[0]
                break
            permit = verdicts[0]
        yield from self._defer([message], later)

    def _chosen(self, permit: Permit) -> str:
        """Which of the keys that will do, by the pool's own rotation."""
        candidates = [Candidate(key, 1.0, 0) for key in permit.key_ids]
        return self.rotation.choose(PROVIDER, candidates, self.world.rng).key_id

    def _call(self, message: Message, key: str, permit: Permit) -> Steps:
        """None when served, else the code of the refusal."""
        world, number = self.world, self._number(key)
        started, began = self.now, world.env.now
        reply = world.vendor.call(number, world.elapsed)
        if reply.served:
            yield world.env.timeout(world.scenario.service * world.rng.uniform(0.8, 1.2))
            world.vendor.done(number)
            world.tally.served.append((world.elapsed, began - message.published_at, message.tenant))
            world.queue.settled(message)
        else:
            yield world.env.timeout(REFUSAL_SECONDS)
        if permit.slot:
            world.table.free(permit.owner, [permit.slot], world.elapsed)
        if reply.served:
            return None
        yield from self._react(key, reply, started, permit)
        return reply.code

    def _react(self, key: str, reply: Reply, started: float, permit: Permit) -> Steps:
        owner = f"{int(key.partition('.')[0]):03d}"
        if reply.code != "throttled":
            until = self.now + REJECTED_SECONDS
            named = WHOLE_ACCOUNT if reply.code == "exhausted" else key
            self.world.table.block(owner, named, until, self.world.elapsed)
            self.benched[key] = until
            return
        if self.world.scenario.slots is not None:
            self.benched[key] = self.now + BUSY_SECONDS
            return
        if self.world.scenario.policy is Policy.OFF:
            self.benched[key] = self.now + (reply.wait or COOLING_SECONDS * self.world.rng.uniform(0.5, 1.0))
            return
        epoch = permit.epoch if permit.owner else None
        talk = learning(Refusal(owner, started, epoch, reply.wait), self.accounts(), self.view, now=self.now)
        self.benched[key] = self.now + (yield from self._drive(talk))

    def _drive(self, talk: Generator[Any, Any, Any]) -> Steps:
        """Put a conversation's questions to the table, until it has what it wants."""
        effects: dict[type, Callable[[Any], Steps]] = {
            Look: self._look,
            Take: self._take,
            Cut: self._cut,
            Note: self._note,
        }
        try:
            step = next(talk)
            while True:
                step = talk.send((yield from effects[type(step)](step)))
        except StopIteration as stop:
            return stop.value

    def _cut(self, step: Cut) -> Steps:
        yield self.world.store()
        return CutMade(self.now, self.world.table.cut(step.name, step.after, self.world.elapsed))

    def _note(self, step: Note) -> Steps:
        yield self.world.store()
        return CutMade(self.now, self.world.table.note(step, self.world.elapsed))

    def _number(self, key: str) -> int:
        account, _, each = key.partition(".")
        return int(account) * self.world.scenario.keys_per_account + int(each)

    # --- another delivery -----------------------------------------------------------------------------------------

    def _defer(self, messages: Sequence[Message], later: NoPermit) -> Steps:
        """Reserve, and send round."""
        world = self.world
        horizon = min(HORIZON_SECONDS, min(each.expires_at for each in messages) - world.env.now)
        verdicts: list[PermitOrNot] = [later] * len(messages)
        if later.reservable:
            verdicts = yield from self.lease(messages, max_wait=max(0.0, horizon), for_requeue=True)
        yield world.store()  # the deferrals, side by side
        world.tally.job_writes += len(messages)
        for message, verdict in zip(messages, verdicts, strict=True):
            world.queue.settled(message)
            if isinstance(verdict, Permit):
                at = verdict.start
            else:
                soonest = self.now + RETRY_SECONDS if verdict.retry_at is None else verdict.retry_at
                at = unreserved(soonest, now=self.now, age=world.env.now - message.published_at, rng=world.rng)
            if at - self.now + world.env.now >= message.expires_at:
                world.tally.expired += 1
                continue
            reservation = reservation_of(verdict, PROVIDER) if isinstance(verdict, Permit) and verdict.owner else None
            lead = lead_seconds(reservation.grace) if reservation else 0.0
            delay = delay_seconds(at - lead, now=self.now)
            copy = Message(message.number, message.tenant, message.published_at, message.expires_at, reservation)
            world.tally.trips += 1
            world.queue.send(copy, delay + world.rng.uniform(0.0, 0.05))
