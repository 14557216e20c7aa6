"""Lost requests: messages that nobody serves any more, whose jobs must end all the same.

A message is lost when Lambda has received it five times and no worker brought it to an end, or when it was given up and
its end could not be recorded. Nothing is bought for it here, and what may have been bought is counted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mediarelay.dispatch.ports import QueueMessage
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import JobSpec, job_id_of
from mediarelay.job_records.ports import JobStore
from mediarelay.request.model import MediaRequest
from mediarelay.serving.serve import JobServer, Requeue
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import LONG_KINDS, Strategy

logger = logging.getLogger(__name__)

WORKER_LOST: Final = "worker_lost"


class LostRequests:
    """Ends the jobs of lost requests."""

    def __init__(
        self,
        jobs: JobStore,
        server: JobServer,
        *,
        restart: Callable[[QueueMessage, MediaRequest, float], None],
        reject: Callable[[QueueMessage, str, str], bool],
    ) -> None:
        """Build it of what it takes.

        Args:
            jobs: The Jobs table.
            server: Ends jobs that a worker serves.
            restart: Hands what an execution serves to its execution; nothing happens where it has one.
            reject: Records the end of a request of which no job was made, given a code and a reason.
        """
        self._jobs = jobs
        self._server = server
        self._restart = restart
        self._reject = reject

    def end(
        self, message: QueueMessage, request: MediaRequest, spec: JobSpec, cause: str, *, worker_ends_at: float
    ) -> None:
        """Bring every job of the message to its end.

        Args:
            message: It was lost.
            request: What it asks for.
            spec: The job by the request's own key, without routes, with a deadline that has passed.
            cause: Recorded as the code of a request of which no job was made.
            worker_ends_at: When this worker must end, unix seconds.

        Raises:
            StoreUnavailable: Not finished; the message must be received again.
        """
        record = self._jobs.get(spec.job_id)
        if record is not None and record.noted:
            record = None
        if record is not None and record.status.settled:
            return
        if request.kind in LONG_KINDS or _served_by_execution(record):
            self._restart(message, request, worker_ends_at)
        elif request.strategy is not Strategy.ALL:
            self._end_job(spec, worker_ends_at)
        elif record is None:
            self._reject(message, cause, "no job of it was made")
        else:
            for provider in record.branches:
                self._end_job(replace(spec, job_id=job_id_of(request, spec.job_id, provider)), worker_ends_at)

    def _end_job(self, spec: JobSpec, worker_ends_at: float) -> None:
        end = self._server.serve(spec, worker_ends_at=worker_ends_at)
        if isinstance(end, Requeue):
            raise StoreUnavailable("jobs table", "end a lost job", "it is held, or the table is away")
        logger.error("lost job ended", extra={"request_id": spec.job_id})


def _served_by_execution(record: JobRecord | None) -> bool:
    """Whether it is a text in parts: a job of one worker has a claim, and the record of strategy `all` has branches."""
    return record is not None and record.claim_id is None and not record.branches
