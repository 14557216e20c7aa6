"""Have one part of a long text spoken: a job of its own, served as any speech is."""

from __future__ import annotations

import logging
import math
from typing import Final

from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import JobSpec
from mediarelay.limits.planning import read, written
from mediarelay.long_jobs.ports import MediaJobStore
from mediarelay.long_speech.originals import Originals
from mediarelay.long_speech.planning import part_request
from mediarelay.long_speech.ports import SpeechProgress
from mediarelay.long_speech.speech_state import PartTask, SpeechStep
from mediarelay.long_speech.voices import PartVoices
from mediarelay.routing.router import Router
from mediarelay.serving.attempts import milliseconds
from mediarelay.serving.serve import JobServer, Requeue
from mediarelay.vocabulary.backoff import outage_wait
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus

logger = logging.getLogger(__name__)

# So long a provider may have no key to call with, where another one may speak in its place. In a line it may be longer.
WITHOUT_A_KEY_SECONDS: Final = 90.0
# A cancelled job and a provider that is given up are noticed at the end of a wait, which is short at first. The longer
# a part has waited the longer it waits, so that a day of it fits into an execution's history.
SHORTEST_CAP_SECONDS: Final = 30.0
LONGEST_WAIT_SECONDS: Final = 900.0
WAITS_PER_AGE: Final = 10.0
TELEMETRY_SECONDS: Final = 2.0


class PartSpeaker:
    """Speaks parts. One per worker."""

    def __init__(
        self,
        jobs: MediaJobStore,
        progress: SpeechProgress,
        originals: Originals,
        router: Router,
        server: JobServer,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._progress = progress
        self._originals = originals
        self._router = router
        self._voices = PartVoices(router)
        self._server = server
        self._clock = clock

    def speak(self, task: PartTask, *, worker_ends_at: float) -> PartTask:
        """Bring the part to its end, or say when to try again: when a store of ours is back as well. An end may also be
        that it was left as it is.
        """
        try:
            return self._speak(task, worker_ends_at).model_copy(update={"outages": None})
        except StoreUnavailable as error:
            logger.warning("part put off: %s", error, extra={"request_id": task.job_id, "outages": task.outages})
        now = self._clock.now()
        if now >= task.expires_at:
            return _done(task)
        seconds = max(1, math.ceil(outage_wait(task.outages or 0, now=now, deadline=task.expires_at)))
        changes = {
            "next": SpeechStep.WAIT,
            "wait_seconds": seconds,
            "outages": (task.outages or 0) + 1,
            "waiting_since": None,
        }
        return task.model_copy(update=changes)

    def _speak(self, task: PartTask, worker_ends_at: float) -> PartTask:
        now = self._clock.now()
        whole = self._jobs.get(task.request_id)
        if whole is None or now >= task.expires_at or not _wanted(whole):
            return _done(task)
        try:
            spec = self._spec(task, now)
        except RequestRejected as rejected:
            logger.warning("part refused", extra={"request_id": task.job_id, "reason": rejected.message})
            return self._stopped(task)
        self._server.begin_batch(1)
        end = self._server.serve(spec, worker_ends_at=worker_ends_at, reservation=read(task.reservation))
        return self._later(task, end) if isinstance(end, Requeue) else self._ended(task)

    def end(self, *, worker_ends_at: float) -> None:
        """End an invocation: write what other workers need to know of it."""
        self._server.end_batch(min(TELEMETRY_SECONDS, max(0.0, worker_ends_at - self._clock.now())))

    def _spec(self, task: PartTask, now: float) -> JobSpec:
        original, part = self._originals.read(task.original), task.part
        voice = self._voices.of(part.provider, original, now=now)
        request = part_request(original, voice, part.start, part.end)
        if part.most_usd is not None:
            request = request.model_copy(update={"max_cost_usd": part.most_usd})
        routes = self._router.routes(request, task.job_id, now=now, begun=True)
        # The fingerprint is that of the plan: should a vendor's formats have changed since, it is the same part still.
        return JobSpec(
            task.job_id,
            request,
            routes,
            task.received_at,
            task.expires_at,
            part.fingerprint,
            known=task.waiting_since is not None or task.reservation is not None or part.tries > 0,
        )

    def _ended(self, task: PartTask) -> PartTask:
        record = self._jobs.get(task.job_id)
        if record is None or record.status is not JobStatus.SUCCEEDED:
            return self._stopped(task)
        self._progress.note_spoken(task.request_id, task.part.number)
        return _done(task)

    def _later(self, task: PartTask, end: Requeue) -> PartTask:
        now = self._clock.now()
        in_line = end.reservation is not None
        since = None if in_line else task.waiting_since or now
        if since is not None and len(task.providers) > 1 and max(now, end.at) - since > WITHOUT_A_KEY_SECONDS:
            record = self._jobs.get(task.job_id)
            if record is None or record.status is not JobStatus.RUNNING:  # a worker that died is waited for
                return self._stopped(task)
        seconds = end.at - now
        if since is not None:
            waited = (now - since) / WAITS_PER_AGE
            seconds = max(waited, min(seconds, SHORTEST_CAP_SECONDS))
        seconds = max(1, math.ceil(min(LONGEST_WAIT_SECONDS, seconds, task.expires_at - now)))
        changes = {
            "next": SpeechStep.WAIT,
            "wait_seconds": seconds,
            "reservation": written(end.reservation) if end.reservation else None,
            "waiting_since": since,
        }
        return task.model_copy(update=changes)

    def _stopped(self, task: PartTask) -> PartTask:
        """End with the part unspoken; none of the others is begun until it is decided how to go on."""
        self._progress.note_stopped(task.request_id, milliseconds(self._clock.now()))
        return _done(task)


def _wanted(whole: JobRecord) -> bool:
    return not whole.status.settled and whole.cancelled_at is None and whole.stopped_at is None


def _done(task: PartTask) -> PartTask:
    return task.model_copy(update={"next": SpeechStep.DONE})
