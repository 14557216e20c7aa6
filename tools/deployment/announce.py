"""Announce settled jobs again: what an outage of the topic longer than a record's age has left unsaid. And replay
callbacks: what their receivers did not take.

An event that is published again has the same `event_id`, so that a subscriber who heard of it the first time knows it;
so has a callback its `webhook-id`. Only the Jobs table is read, and nothing is written to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from mediarelay.announce.announcing import AnnounceService
from mediarelay.announce.sns import SnsResults
from mediarelay.aws.clients import BUCKET_CONFIG
from mediarelay.aws.stores import from_item
from mediarelay.aws.system_clock import SystemClock
from mediarelay.callbacks.sqs import SqsCallbacks
from mediarelay.job_records.contract import JobRecord
from mediarelay.results.s3 import S3Links
from tools.deployment.stack import DeployedStack

TOGETHER: Final = 100


@dataclass(frozen=True)
class Wanted:
    """Which jobs: those settled from `since` until `until`, and of these only `ids`, where any are named."""

    since: datetime
    until: datetime
    ids: Collection[str] = ()

    def has(self, job: JobRecord) -> bool:
        """Whether this job is one of them; an id is the publisher's, or the record's own."""
        named = not self.ids or bool({job.request_id, job.publisher_request_id} & set(self.ids))
        settled_at = job.settled_at or 0
        return named and _milliseconds(self.since) <= settled_at < _milliseconds(self.until)


def announced_again(session: Any, stack: DeployedStack, wanted: Wanted, *, dry_run: bool) -> tuple[int, int]:
    """Publish the events of the jobs that are wanted. Returns how many were, and how many could not be.

    Args:
        session: Where the stack is, with the right to read its table and to publish to its topic.
        stack: Whose jobs they are.
        wanted: Which of them.
        dry_run: Count them, and publish nothing.
    """
    service = _service(session, stack)
    told = failed = 0
    jobs = _jobs(session.client("dynamodb"), stack.outputs["JobsTableName"], wanted)
    events = (event for job in jobs if (event := service.event_of(None, job)) is not None)
    while together := list(islice(events, TOGETHER)):
        published = len(together) if dry_run else service.announce(together)
        told += published
        failed += len(together) - published
    return told, failed


def replayed(session: Any, stack: DeployedStack, wanted: Wanted, *, dry_run: bool) -> int:
    """Have the callbacks of the jobs that are wanted tried anew: those that were given up, or all that are named.

    Returns how many. Raises `StoreUnavailable`.
    """
    service, count = _service(session, stack), 0
    queue = SqsCallbacks(session.client("sqs"), stack.outputs["CallbackQueueUrl"])
    for job in _jobs(session.client("dynamodb"), stack.outputs["JobsTableName"], wanted):
        event = service.event_of(None, job) if job.callback_url else None
        given_up = job.callback is not None and job.callback.state in ("failed", "gone")
        if event is not None and (given_up or wanted.ids):
            count += 1
            if not dry_run:
                now = _milliseconds(datetime.now(UTC))
                queue.replay(event.model_dump_json(), thin=event.callback == "thin", at=now)
    return count


def moment(text: str) -> datetime:
    """Returns the moment in ISO 8601; without an offset it is UTC. Raises ValueError for anything else."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _service(session: Any, stack: DeployedStack) -> AnnounceService:
    seconds = int(stack.parameters["PresignedUrlSeconds"])
    links = S3Links(session.client("s3", config=BUCKET_CONFIG), stack.outputs["ResultsBucketName"], seconds)
    topic = SnsResults(session.client("sns"), stack.outputs["MediaResultsTopicArn"])
    return AnnounceService(topic, links, clock=SystemClock(), link_seconds=seconds)


def _jobs(table: Any, name: str, wanted: Wanted) -> Iterator[JobRecord]:
    pages = table.get_paginator("scan").paginate(
        TableName=name,
        ConsistentRead=True,
        FilterExpression="settled_at >= :since AND settled_at < :until",
        ExpressionAttributeValues={
            ":since": {"N": str(_milliseconds(wanted.since))},
            ":until": {"N": str(_milliseconds(wanted.until))},
        },
    )
    for page in pages:
        for item in page["Items"]:
            job = JobRecord.model_validate(from_item(item))
            if wanted.has(job):
                yield job


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
