"""Jobs that outlive the request which submitted them: queued, then running in a slot of the account, then done."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from tools.simulator.wire import Reply, failed

from .accounts import Account

State = Literal["queued", "running", "done"]


@dataclass
class Job:
    """One job. `result` counts once the state is `done`; a failed or never started job is refunded.

    `start_within` is a deadline in seconds for starting, after which the result is `late`; a job that `has_slot` took
    it when it was submitted. `key_id` is the key that submitted it, `name` the caller's own id for it.
    """

    id: str
    kind: str
    account: Account
    work: Callable[[], Awaitable[Reply]]
    late: Reply
    refund: Callable[[], None]
    start_within: float | None = None
    on_end: Callable[["Job"], Awaitable[None]] | None = None
    has_slot: bool = False
    key_id: str = ""
    name: str | None = None
    state: State = "queued"
    started: float = 0.0
    ended: float = 0.0
    result: Reply = field(default_factory=lambda: Reply(0))
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class JobBook:
    """The jobs of all vendors by id."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._jobs: dict[str, Job] = {}

    def submit(self, job: Job) -> None:
        self._jobs[job.id] = job
        job.task = asyncio.get_running_loop().create_task(self._run(job))

    def find(self, name: str) -> Job | None:
        return self._jobs.get(name)

    def find_named(self, vendor: str, account: str, name: str) -> Job | None:
        """A job by its caller's own id, which is unique per account."""
        mine = (job for job in self._jobs.values() if (job.account.vendor, job.account.name) == (vendor, account))
        return next((job for job in mine if job.name == name), None)

    def forget(self, job: Job) -> None:
        """As if it had never been; its work is not stopped."""
        self._jobs.pop(job.id, None)

    def ahead_of(self, job: Job) -> int:
        """How many queued jobs of the same account came before this one."""
        queued = [other for other in self._jobs.values() if other.account is job.account and other.state == "queued"]
        return queued.index(job) if job in queued else 0

    def cancel(self, job: Job, result: Reply) -> bool:
        """Stop a job with this result; False when it has already ended."""
        if job.state == "done" or job.task is None:
            return False
        job.task.cancel()
        self._end(job, result)
        return True

    def clear(self) -> None:
        for job in self._jobs.values():
            if job.task is not None:
                job.task.cancel()
        self._jobs.clear()

    async def _run(self, job: Job) -> None:
        self._end(job, await self._outcome(job))
        if job.on_end:
            await job.on_end(job)

    async def _outcome(self, job: Job) -> Reply:
        try:
            if not job.has_slot:
                await asyncio.wait_for(job.account.slots.take(), job.start_within)
        except TimeoutError:
            return job.late
        job.state, job.started = "running", self._clock()
        try:
            return await job.work()
        finally:
            job.account.slots.release()

    def _end(self, job: Job, result: Reply) -> None:
        job.state, job.ended, job.result = "done", self._clock(), result
        if failed(result):
            job.refund()
