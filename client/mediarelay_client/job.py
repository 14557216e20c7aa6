"""A handle to one request, whatever it turns into."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mediarelay_client.api import LONGEST_WAIT
from mediarelay_client.errors import NotFound, WaitTimeout, failure
from mediarelay_client.result import Result

if TYPE_CHECKING:
    from mediarelay_client.api import JobView
    from mediarelay_client.desk import Waiting
    from mediarelay_client.models import ResultEvent
    from mediarelay_client.relay import Relay

_LOOKS: Final = (0.2, 0.3, 0.5, 0.5, 1.0, 1.0, 2.0)


@dataclass(frozen=True)
class Update:
    """Where a job stands, told when that changes.

    Attributes:
        state: queued, running, deferred, polling, or what it ended as.
        provider: Who is at work, or delivered.
        until: Of a deferred one: until when, unix seconds.
        result: Of one that has ended.
        job: The record behind it; None of one that no worker has taken.
    """

    state: str
    provider: str | None = None
    until: float | None = None
    result: Result | None = None
    job: JobView | None = None


class Job:
    """One request."""

    def __init__(self, relay: Relay, waiting: Waiting, input_index: int | None = None) -> None:
        self._relay = relay
        self._waiting = waiting
        self.request_id = waiting.request_id
        self.tenant = waiting.tenant
        self.input_index = input_index
        self._version: str | None = None

    def __repr__(self) -> str:
        """Say which it is."""
        return f"Job({self.request_id!r})"

    def record(self) -> JobView:
        """Return the job record; of strategy all the first provider's.

        Raises:
            NotFound: No worker has taken it yet.
        """
        return self.records()[0]

    def records(self) -> list[JobView]:
        """Return the job records: one, or one for each provider of strategy all."""
        found = self._relay.api.jobs(self.request_id, self.tenant)
        own = [job for job in found if not job.branches]
        for job in found:
            if job.branches:
                self._relay.desk.expect(self._waiting, job.branches)
        if not own:
            raise NotFound("not_found", f"no provider of {self.request_id} has a record yet")
        return own

    def status(self) -> str:
        """Return where it stands; queued where no worker has taken it."""
        if self._waiting.outcome.done():
            return self._waiting.outcome.result()[0].status
        try:
            return self.record().status
        except NotFound:
            return "queued"

    def result(self, timeout: float | None = None) -> Result:
        """Wait for its end and return what it came to; of strategy all the first provider's that succeeded.

        Raises:
            JobFailed: It ended without a result.
            WaitTimeout: The time is over; the job goes on.
        """
        results = self.branches(timeout)
        for result in results:
            if result.ok:
                return result
        raise failure(results[0].event)

    def branches(self, timeout: float | None = None) -> list[Result]:
        """Wait for its end and return what came of each provider; one result unless its strategy is all."""
        ends_at = None if timeout is None else time.monotonic() + timeout
        while not self._waiting.outcome.done() and self._held(ends_at):
            self._looked_at({})
        left = None if ends_at is None else max(0.0, ends_at - time.monotonic())
        try:
            events = self._relay.wait(self._waiting, left)
        except Late as error:
            said = f"{self.request_id} has not ended after {timeout:g} s; it goes on"
            raise WaitTimeout("still_running", said, retryable=True, request_id=self.request_id) from error
        return self.results_of(events)

    def ended(self) -> Future[list[ResultEvent]]:
        """Return a future of the events of its end."""
        self._relay.listen()
        return self._waiting.outcome

    def results_of(self, events: Iterable[ResultEvent]) -> list[Result]:
        """Return the events of its end as results."""
        return [self._relay.result_of(event, self.input_index) for event in events]

    def updates(self, timeout: float | None = None) -> Generator[Update]:
        """Yield where it stands whenever that changes, at last its result; of strategy all each provider's.

        Raises:
            WaitTimeout: The time is over; the job goes on.
        """
        ends_at = None if timeout is None else time.monotonic() + timeout
        told: dict[str, tuple[str, str | None]] = {}
        looks = 0
        self._relay.listen()
        while not self._waiting.outcome.done():
            yield from self._looked_at(told)
            if self._held(ends_at):
                continue
            pause = _LOOKS[min(looks, len(_LOOKS) - 1)]
            looks += 1
            if ends_at is not None and time.monotonic() + pause > ends_at:
                pause = max(0.0, ends_at - time.monotonic())
            try:
                self._relay.wait(self._waiting, pause)
            except Late as error:
                if ends_at is not None and time.monotonic() >= ends_at:
                    said = f"{self.request_id} has not ended after {timeout:g} s; it goes on"
                    raise WaitTimeout("still_running", said, retryable=True, request_id=self.request_id) from error
        for event in self._waiting.outcome.result():
            yield Update(event.status, event.provider, result=self._relay.result_of(event, self.input_index))

    def _held(self, ends_at: float | None) -> bool:
        """Wait at the API until the job changes, 20 s at most. Returns False where that can't be done."""
        waiting, left = self._waiting, float(LONGEST_WAIT)
        if ends_at is not None:
            left = min(left, ends_at - time.monotonic())
        if waiting.replied or not self._relay.has_api or left < 1.0:
            return False
        waiting.ask_at = time.monotonic() + left + 1.0  # nobody else asks meanwhile
        version = self._relay.api.changed(self.request_id, self.tenant, self._version, left)
        waiting.ask_at = 0.0
        self._version = version or self._version
        return version is not None

    def _looked_at(self, told: dict[str, tuple[str, str | None]]) -> list[Update]:
        """Return what has changed since the last look."""
        if not self._relay.has_api:
            return []
        try:
            records = self.records()
        except NotFound:
            records = []
        changed = []
        for job in records:
            self._relay.learn(job)
            if told.get(job.request_id) == (job.status, working_at(job)) or job.settled:
                continue
            told[job.request_id] = job.status, working_at(job)
            until = job.deferred_until / 1000 if job.deferred_until and job.status == "deferred" else None
            changed.append(Update(job.status, working_at(job), until, job=job))
        if not records and not told:
            told[""] = "queued", None
            changed.append(Update("queued"))
        return changed

    def cancel(self) -> None:
        """Ask for its end; how it ends is told as of any other job."""
        self._relay.cancel(self.request_id, self.tenant)


def working_at(job: JobView) -> str | None:
    """Return which provider is at work on a job, as far as its record tells."""
    if job.submit is not None:
        return job.submit.provider
    if job.purchases:
        return job.purchases[-1].provider
    return job.provider or (job.attempts[-1].provider if job.attempts else None)
