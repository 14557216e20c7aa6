"""Hand a job that takes minutes to its state machine, exactly once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from mediarelay.job_records.claims import AlreadySettled, Cancelled, Claim, Conflict, Settlement
from mediarelay.job_records.job_spec import JobSpec
from mediarelay.long_jobs.execution_state import ExecutionState
from mediarelay.long_jobs.ports import Executions, MediaJobStore, Opened
from mediarelay.serving.attempts import claim_of
from mediarelay.serving.job_errors import cancelled_error, used_before
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.retrying import retry_until

logger = logging.getLogger(__name__)

START_MAX_WAIT_SECONDS: Final = 3.0
NAME_LIMIT: Final = 80  # Step Functions' own
_KEPT: Final = 40


@frozen
class Machine:
    """A state machine.

    Attributes:
        executions: Its executions.
        begin: Returns what one is started with, given the job, its record and when that may go (unix seconds).
            Raises `StoreUnavailable`.
    """

    executions: Executions
    begin: Callable[[JobSpec, Opened, int], Mapping[str, object]]


class JobStarter:
    """Starts executions. Thread-safe."""

    def __init__(self, jobs: MediaJobStore, machine_of: Callable[[JobSpec], Machine], clock: Clock) -> None:
        """`machine_of` says which machine serves a job."""
        self._jobs = jobs
        self._machine_of = machine_of
        self._clock = clock

    def start(self, spec: JobSpec, *, worker_ends_at: float) -> bool:
        """Give the job its one execution; nothing happens when it has one, or had one and is settled.

        Returns False when it was settled or cancelled before.

        Raises:
            RequestRejected: The id belongs to a job with another content.
            StoreUnavailable: The table or the state machine cannot be reached; the message comes again.
        """
        now = self._clock.now()
        claim = claim_of(spec, now, worker_ends_at)
        until = min(worker_ends_at, now + START_MAX_WAIT_SECONDS)
        answer = retry_until(partial(self._jobs.open, claim), clock=self._clock, until=until)
        match answer:
            case AlreadySettled():
                logger.info("duplicate of a settled job", extra={"request_id": spec.job_id})
                return False
            case Conflict():
                raise used_before(spec.job_id)
            case Cancelled():
                self._jobs.end_unserved(claim, cancelled_error())
                logger.info("cancelled before it was begun", extra={"request_id": spec.job_id})
                return False
            case Opened():
                self._check_free(answer, spec, now)
                retry_until(partial(self._execute, spec, answer, claim.ttl), clock=self._clock, until=until)
        return True

    def settled_at_once(self, spec: JobSpec, result: Settlement, claim: Claim) -> bool:
        """Open the job and settle it with a result that is there. Returns False when it has an execution already.

        Raises:
            RequestRejected: The id belongs to a job with another content.
            StoreUnavailable: As `start`.
        """
        match self._jobs.open(claim):
            case Conflict():
                raise used_before(spec.job_id)
            case Opened(again=True, opened_at=opened_at) if self._begun(spec, opened_at):
                return False
            case Cancelled():
                self._jobs.end_unserved(claim, cancelled_error())
            case Opened():
                if not self._jobs.settle_media(result):  # cancelled since it was opened, unless it was settled
                    end = replace(result, status=JobStatus.FAILED, outputs=(), error=cancelled_error())
                    self._jobs.settle_media(end)
        return True

    def _begun(self, spec: JobSpec, opened_at: int) -> bool:
        """Whether anybody has served the job, so that there may be something to count."""
        record, executions = self._jobs.get(spec.job_id), self._machine_of(spec).executions
        served = record is not None and bool(record.claim_id or record.purchases)
        return served or any(executions.find(name) is not None for name in names(spec.job_id, opened_at))

    def _check_free(self, opened: Opened, spec: JobSpec, now: float) -> None:
        """Make sure that no worker serves the job at this moment, as one that asked for a text at once may."""
        record = self._jobs.get(spec.job_id) if opened.again else None
        if record is not None and record.claim_id is not None and (record.lease_until or 0) > now * 1000:
            raise StoreUnavailable("jobs table", "open a job", "another worker serves it")

    def _execute(self, spec: JobSpec, opened: Opened, ttl: int) -> None:
        machine = self._machine_of(spec)
        executions, state = machine.executions, machine.begin(spec, opened, ttl)
        first = _name(spec.job_id)
        started = executions.start(first, state)
        # A name stays taken for 90 days after its execution ended. An open job behind such a name has lost its
        # execution, or carries an id from long ago; only then is the second name its own.
        if not started and _ended(executions, first) and self._open(spec.job_id):
            _, second = names(spec.job_id, opened.opened_at)
            started = executions.start(second, state)
        logger.info("execution started" if started else "execution exists", extra={"request_id": spec.job_id})

    def _open(self, job_id: str) -> bool:
        record = self._jobs.get(job_id)
        return record is not None and not record.status.settled


def media_job(webhook_url: str | None) -> Callable[[JobSpec, Opened, int], Mapping[str, object]]:
    """Returns how an execution of a video or audio job begins.

    Vendors that can are asked to call `webhook_url` when a job is over; with None, jobs are only polled.
    """

    def begin(spec: JobSpec, opened: Opened, ttl: int) -> Mapping[str, object]:
        state = ExecutionState(
            request_id=spec.job_id,
            request=spec.request,
            providers=[route.offer.provider for route in spec.routes],
            received_at=opened.received_at,
            opened_at=opened.opened_at,
            expires_at=spec.expires_at,
            ttl=ttl,
            webhook_url=webhook_url,
            reuse_key=spec.reuse_key,
        )
        return state.to_state()

    return begin


def _ended(executions: Executions, name: str) -> bool:
    found = executions.find(name)
    return found is None or not found.running


def names(job_id: str, opened_at: int) -> tuple[str, str]:
    """Return the name of a job's execution, and the one to use if an execution of the past has that name."""
    return _name(job_id), _name(f"{job_id}@{opened_at}")


def _name(wanted: str) -> str:
    """Replace `#`, which Step Functions refuses, by `@`, which occurs in no request id: no two jobs share a name.

    It refuses `:` as well, which a tenant may have.
    """
    name = wanted.replace("#", "@")
    if len(name) <= NAME_LIMIT and ":" not in name:
        return name
    return f"{name[:_KEPT].replace(':', '.')}@{hashlib.sha256(name.encode()).hexdigest()[: NAME_LIMIT - _KEPT - 1]}"
