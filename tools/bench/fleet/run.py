"""Run a scenario: publishers, pollers and workers, from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import simpy

from tools.bench.fleet.accounts import accounts_of
from tools.bench.fleet.foresight import Buckets
from tools.bench.fleet.oracle import Oracle
from tools.bench.fleet.queue import Message, Queue
from tools.bench.fleet.scenario import EPOCH, Policy, Scenario, Tally
from tools.bench.fleet.table import Table
from tools.bench.fleet.vendor import Vendor
from tools.bench.fleet.worker import Steps, Worker, World


def run(scenario: Scenario, *, drain: bool = True) -> Tally:
    """Everything that happened; with `drain` until the last message has come to its end."""
    env = simpy.Environment(initial_time=EPOCH)
    tally = Tally()
    rng = Random(scenario.seed)  # noqa: S311 # dice of a simulation
    table, vendor = Table(scenario, tally), Vendor(scenario, tally)
    queue = Queue(env, fair=scenario.fair)
    world = World(env, scenario, tally, queue, table, vendor, rng, accounts_of(scenario), Buckets(scenario))
    arrivals = Random(scenario.seed + 1)  # noqa: S311 # of their own, so that every policy sees the same messages
    env.process(_publish(world, arrivals))
    env.process(_poll(world))
    env.run(until=None if drain else EPOCH + scenario.duration)
    return tally


def _publish(world: World, rng: Random) -> Steps:
    scenario, numbers = world.scenario, iter(range(1_000_000_000))
    names, weights = list(scenario.tenants), list(scenario.tenants.values())
    rate = scenario.load * scenario.capacity / scenario.group
    while world.elapsed < scenario.duration:
        yield world.env.timeout(rng.expovariate(rate))
        if world.elapsed >= scenario.duration:
            break
        tenant = rng.choices(names, weights)[0]
        world.queue.put(list(_messages(world, tenant, numbers)))


def _messages(world: World, tenant: str, numbers: Iterator[int]) -> Iterator[Message]:
    for _ in range(world.scenario.group):
        world.tally.published += 1
        now = world.env.now
        yield Message(next(numbers), tenant, now, now + world.scenario.timeout)


def _poll(world: World) -> Steps:
    """Hand batches to workers that are free; the one that was busy last is the warmest."""
    scenario, env = world.scenario, world.env
    kind = Oracle if scenario.policy is Policy.ORACLE else Worker
    rng = Random(scenario.seed + 2)  # noqa: S311 # dice of a simulation
    fresh = iter(range(scenario.workers))
    idle: list[Worker] = []
    freed = simpy.Store(env)
    while True:
        if not world.queue.size:
            world.queue.wake = env.event()
            yield world.queue.wake
        while freed.items:
            idle.append(freed.items.pop(0))
        if not idle and next(fresh, None) is not None:
            idle.append(kind(world, rng.uniform(-scenario.skew, scenario.skew)))
        if not idle:
            idle.append((yield freed.get()))
        yield env.timeout(0.0)
        if world.queue.size:
            env.process(_work(world, idle.pop(), freed))


def _work(world: World, worker: Worker, freed: simpy.Store) -> Steps:
    messages = world.queue.receive()
    yield world.env.timeout(world.rng.uniform(0.01, 0.03))  # from the poll to the handler
    yield world.env.process(worker.batch(messages))
    yield freed.put(worker)
