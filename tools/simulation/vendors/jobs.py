"""Jobs of the vendors in virtual time, and the files that they made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tools.simulation.loop import Loop
from tools.simulator.state.jobs import Job, JobBook
from tools.simulator.wire import Reply

T = TypeVar("T")


class AtOnce:
    """Runs the simulator's coroutines to their end there and then: they wait for nothing but other coroutines."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Awaitable[T]) -> T:
        """Return what it comes to."""
        self._loop = self._loop or asyncio.new_event_loop()
        return self._loop.run_until_complete(work)

    def read(self, stream: Callable[[], AsyncIterator[bytes]]) -> bytes:
        """Return what a stream has by now."""

        async def whole() -> bytes:
            return b"".join([each async for each in stream()])

        return self.run(whole())

    def close(self) -> None:
        """Give back what it holds."""
        if self._loop is not None:
            self._loop.close()


class VirtualJobs(JobBook):
    """The simulator's jobs: each begins when it is submitted, and takes what the request's call takes."""

    def __init__(self, loop: Loop, clock: Callable[[], float], at_once: AtOnce, seconds: Callable[[], float]) -> None:
        """`seconds` is asked while a job is submitted."""
        super().__init__(clock)
        self._loop = loop
        self._at_once = at_once
        self._seconds = seconds

    def submit(self, job: Job) -> None:
        """See `JobBook.submit`."""
        self._jobs[job.id] = job
        job.state, job.started = "running", self._clock()
        self._loop.at(self._loop.now + self._seconds(), lambda: self._ends(job))

    def cancel(self, job: Job, result: Reply) -> bool:
        """See `JobBook.cancel`."""
        if job.state == "done":
            return False
        self._over(job, result)
        return True

    def _ends(self, job: Job) -> None:
        if job.state != "done":
            self._over(job, self._at_once.run(job.work()))

    def _over(self, job: Job, result: Reply) -> None:
        if job.has_slot:
            job.account.slots.release()
        self._end(job, result)
        if job.on_end is not None:
            self._at_once.run(job.on_end(job))


@dataclass
class WholeFile:
    """Implements `long_jobs.transfer.ports.MediaStream`: all of it is there."""

    data: bytes
    offset: int
    version: str = '"whole"'

    @property
    def size(self) -> int | None:
        """See `MediaStream.size`."""
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        """See `MediaStream.chunks`."""
        yield self.data[self.offset :]
