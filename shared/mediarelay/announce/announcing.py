"""From a settled job record to the event its subscribers receive."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import pairwise

from mediarelay.announce.contract import ResultEvent, ResultOutput
from mediarelay.announce.ports import Replies, ResultTopic
from mediarelay.job_records.contract import AttemptSummary, JobRecord
from mediarelay.request.bounds import plain_key
from mediarelay.results.ports import LinkSigner
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import Unpublished
from mediarelay.vocabulary.outcome import Follow

logger = logging.getLogger(__name__)


class AnnounceService:
    """Announces settled jobs, each transition once."""

    def __init__(
        self,
        topic: ResultTopic,
        signer: LinkSigner,
        *,
        replies: Callable[[], Replies] | None = None,
        clock: Clock,
        link_seconds: int,
    ) -> None:
        """`replies` is made, and its code imported, when a result first names a queue; without it, none is sent."""
        self._replies = replies
        self._topic = topic
        self._signer = signer
        self._clock = clock
        self._link_seconds = link_seconds

    def event_of(self, before: JobRecord | None, after: JobRecord) -> ResultEvent | None:
        """Return the event for this change; None unless it settled the job. A part is told of by its whole."""
        if after.part or not after.status.settled or (before is not None and before.status.settled):
            return None
        return result_event(after, self._signer.sign, self._clock.now() + self._link_seconds)

    def announce(self, events: Sequence[ResultEvent]) -> int:
        """Publish the events. Returns how many, from the first on, were published; the others are to come again.

        Those are then sent to the queues that they name.
        """
        published = self._published(events)
        asked = [event for event in events[:published] if event.reply_to]
        if asked and self._replies is not None:
            self._replies().send(asked)
        return published

    def _published(self, events: Sequence[ResultEvent]) -> int:
        try:
            self._topic.publish(events)
        except Unpublished as error:
            facts = {"published": error.published, "events": len(events), "reason": error.reason}
            logger.error("not announced", extra=facts)  # noqa: TRY400 # AWS's refusal says all
            return error.published
        return len(events)


def result_event(job: JobRecord, sign: Callable[[str], tuple[str, str]], link_expires_at: float) -> ResultEvent:
    """Make the event of a settled record; `sign` returns the s3 URI and a presigned URL of a key."""
    outputs = []
    for output in job.outputs:
        s3_uri, url = sign(output.key)
        outputs.append(ResultOutput(s3_uri=s3_uri, url=url, **output.model_dump(exclude={"key"})))
    settled_at = job.settled_at or 0
    return ResultEvent(
        event_id=f"{job.request_id}@{settled_at}",
        request_id=job.publisher_request_id,
        job_id=plain_key(job.request_id),
        kind=job.kind,
        status=job.status,
        provider=job.provider,
        model=job.model,
        voice=job.voice,
        voice_substituted=job.voice_substituted,
        tenant=job.tenant,
        outputs=outputs,
        url_expires_at=round(link_expires_at) if outputs else None,
        attempts=job.attempts,
        key_rotations=key_rotations(job.attempts),
        latency_ms=job.latency_ms,
        queue_ms=job.queue_ms,
        cost_usd=job.cost_usd,
        cost_certain=job.cost_certain,
        cached=job.cached,
        error=job.error,
        warnings=job.warnings,
        metadata=job.metadata,
        message_id=job.message_id,
        client=job.client,
        reply_to=job.reply_to,
        callback=(job.callback_body or "full") if job.callback_url else None,
        settled_at=settled_at,
    )


def key_rotations(attempts: Sequence[AttemptSummary]) -> int:
    """Count how often a failure made another key of the same provider take over."""
    return sum(
        earlier.provider == later.provider
        and earlier.key_id != later.key_id
        and earlier.outcome.follow is Follow.ROTATE
        for earlier, later in pairwise(attempts)
    )
