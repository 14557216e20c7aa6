"""Limits of one account: a token bucket for the rate and slots for concurrency."""

import asyncio
from collections import deque


class TokenBucket:
    """Pure: every method takes `now`, in seconds of any monotonic clock."""

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._updated = now

    def level(self, now: float) -> float:
        """Tokens there are at `now`."""
        return min(float(self.burst), self._tokens + max(0.0, now - self._updated) * self.rate)

    def take(self, now: float) -> float:
        """Take one token. Returns 0 when taken, else the seconds until there will be one."""
        level = self.level(now)
        self._updated = max(now, self._updated)
        taken = level >= 1
        self._tokens = level - 1 if taken else level
        return 0.0 if taken else (1 - level) / self.rate

    def seconds_until_full(self, now: float) -> float:
        return (self.burst - self.level(now)) / self.rate


class Slots:
    """Concurrent work of an account; those who wait are served in order of arrival."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.in_use = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def try_take(self) -> bool:
        if self.limit is not None and self.in_use >= self.limit:
            return False
        self.in_use += 1
        return True

    async def take(self) -> None:
        """Wait for a slot."""
        if not self._waiting and self.try_take():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Give a slot back, straight to the longest waiting if there is one."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.in_use -= 1
