"""The paced oracle: it sees every bucket, asks nobody, and makes each call when it will be served."""

from __future__ import annotations

from typing import Final

from tools.bench.fleet.queue import Message
from tools.bench.fleet.worker import Steps, Worker

# What rounding may take from a token that is due.
ROUNDING_SECONDS: Final = 1e-5


class Oracle(Worker):
    """A worker that is told by the buckets themselves."""

    def batch(self, messages: list[Message]) -> Steps:
        """Each message takes the soonest token there is, and waits for it in the worker."""
        world = self.world
        yield world.store()
        yield world.store()  # it pays one round trip for its knowledge, as any coordination would
        alive = [each for each in messages if not self._expired(each)]
        calls = [world.env.process(self._paced(each)) for each in alive]
        yield from calls

    def _paced(self, message: Message) -> Steps:
        world = self.world
        now = world.elapsed
        account, start = world.buckets.take(now)
        if start > now:
            yield world.env.timeout(start - now + ROUNDING_SECONDS)
        number = account * world.scenario.keys_per_account
        began = world.env.now
        reply = world.vendor.call(number, world.elapsed)
        if not reply.served:
            raise RuntimeError(f"the oracle was refused: {reply}")
        yield world.env.timeout(world.scenario.service * world.rng.uniform(0.8, 1.2))
        world.vendor.done(number)
        world.tally.served.append((world.elapsed, began - message.published_at, message.tenant))
        world.queue.settled(message)
