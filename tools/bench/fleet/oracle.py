"""The paced oracle: it sees every bucket, asks nobody, and makes each call when it will be served."""

from __future__ import annotations

from typing import Final

from tools.bench.fleet.queue import Message
from tools.bench.fleet.worker import Steps, Worker

# What rounding may take from a token that is due.
ROUNDING_SECONDS: Final = 1e-6


class Oracle(Worker):
    """A worker that knows the vendor's buckets from within, and what the others like it are about to take."""

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
        account, due = self._soonest()
        world.taken[account] += 1
        if due:
            yield world.env.timeout(due + ROUNDING_SECONDS)
        number = account * world.scenario.keys_per_account
        began = world.env.now
        world.taken[account] -= 1
        reply = world.vendor.call(number, world.elapsed)
        if not reply.served:
            raise RuntimeError(f"the oracle was refused: {reply}")
        yield world.env.timeout(world.scenario.service * world.rng.uniform(0.8, 1.2))
        world.vendor.done(number)
        world.tally.served.append((world.elapsed, began - message.published_at, message.tenant))
        world.queue.settled(message)

    def _soonest(self) -> tuple[int, float]:
        """The account whose next token that nobody waits for comes first, and in how many seconds; of several there
        now, the fullest.
        """
        world = self.world
        buckets, now = world.vendor.buckets, world.elapsed
        spare = [bucket.level(now) - world.taken[account] - 1.0 for account, bucket in enumerate(buckets)]
        account = max(range(len(spare)), key=lambda each: spare[each] / buckets[each].rate)
        return account, max(0.0, -spare[account] / buckets[account].rate)
