"""AWS's part of the way: the request queue, a reply queue of one's own, and a subscription to everybody's results."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from mediarelay_client.errors import NotAllowed, NotFound, RelayError, Unavailable
from mediarelay_client.settings import Settings

ENTRIES: Final = 10
TRIES: Final = 5
# SQS takes 1 MiB a batch; some of it is left for what surrounds the messages.
BATCH_BYTES: Final = 1024 * 1024 - 16 * 1024
RETENTION_SECONDS: Final = 3600
VISIBILITY_SECONDS: Final = 60
EXPIRES_TAG: Final = "mediarelay:expires"
CLIENT_TAG: Final = "mediarelay:client"
POLICY: Final = "the policies in docs/publishers.md"
_DENIED: Final = (
    "AccessDenied",
    "AuthorizationError",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
)
_MISSING: Final = ("NonExistentQueue", "QueueDoesNotExist", "NotFound")


@contextmanager
def aws_errors(action: str) -> Iterator[None]:
    """Turn what AWS says into an error of ours."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 # with boto3

    try:
        yield
    except ClientError as error:
        raise _refused(action, str(error.response["Error"]["Code"]), str(error)) from error
    except BotoCoreError as error:
        if "redentials" in str(error):
            hint = "run make local here, pass --profile, or log in to AWS"
            raise NotAllowed("no_credentials", "AWS knows no credentials of ours", hint=hint) from error
        hint = "try again, or see mediarelay doctor"
        raise Unavailable(
            "aws_unreachable", f"AWS does not answer {action} ({error})", retryable=True, hint=hint
        ) from error


def _refused(action: str, code: str, said: str) -> RelayError:
    if any(word in code for word in _DENIED):
        where = "the queue" if action.startswith("sqs") else "AWS"
        return NotAllowed("not_allowed", f"{where} refused us ({code} on {action})", hint=f"ask for {POLICY}")
    if any(word in code for word in _MISSING):
        hint = "is the stack up? make local, or pass --stack"
        return NotFound("no_queue", f"there is no such queue or topic ({code} on {action})", hint=hint)
    return Unavailable("aws_refused", f"AWS refused us ({said})", retryable=True, hint="try again")


class RequestQueue:
    """Where requests are published."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, bodies: Sequence[str]) -> list[str | RelayError]:
        """Publish bodies, of which at most ten go together. Returns a message's id, or why it was not taken, for each.

        A repetition within is the same request to the stack, since each body has an id.
        """
        return [told for batch in batches(bodies) for told in self._sent(batch)]

    def _sent(self, batch: Sequence[str]) -> list[str | RelayError]:
        """Publish some together; those that SQS lost are sent again, which boto3 does for whole calls only."""
        left = {str(number): body for number, body in enumerate(batch)}
        told: dict[str, str | RelayError] = {}
        for _ in range(TRIES):
            entries = [{"Id": name, "MessageBody": body} for name, body in left.items()]
            with aws_errors("sqs:SendMessage"):
                answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
            told |= {sent["Id"]: sent["MessageId"] for sent in answer.get("Successful", ())}
            failed = {lost["Id"]: lost for lost in answer.get("Failed", ())}
            for name, lost in failed.items():
                told[name] = _refused("sqs:SendMessage", str(lost.get("Code")), str(lost.get("Message", "")))
            left = {name: left[name] for name, lost in failed.items() if not lost.get("SenderFault")}
            if not left:
                break
        return [told[str(number)] for number in range(len(batch))]


def batches(bodies: Sequence[str]) -> Iterator[list[str]]:
    """Yield batches of as many bodies as SQS takes at once."""
    batch: list[str] = []
    size = 0
    for body in bodies:
        length = len(body.encode("utf-8", "surrogatepass"))
        if batch and (len(batch) == ENTRIES or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += length
    if batch:
        yield batch


class OwnQueue:
    """A queue of this process alone, deleted when it is closed. Made for replies, or for a subscription."""

    def __init__(self, sqs: Any, name: str, client: str, policy: Mapping[str, Any] | None = None) -> None:
        self._sqs = sqs
        self.name = name
        self._attributes = {
            "MessageRetentionPeriod": str(RETENTION_SECONDS),
            "VisibilityTimeout": str(VISIBILITY_SECONDS),
            "SqsManagedSseEnabled": "true",
        }
        if policy is not None:
            self._attributes["Policy"] = json.dumps(policy)
        tags = {CLIENT_TAG: client, EXPIRES_TAG: str(round(time.time()) + RETENTION_SECONDS)}
        with aws_errors("sqs:CreateQueue"):
            self.url = str(sqs.create_queue(QueueName=name, Attributes=self._attributes, tags=tags)["QueueUrl"])
        self._renewed_at = time.monotonic()

    def receive(self, seconds: int) -> list[str]:
        """Return the bodies that come within so many seconds, each once taken and deleted."""
        with aws_errors("sqs:ReceiveMessage"):
            answer = self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=ENTRIES, WaitTimeSeconds=seconds)
            messages = answer.get("Messages", [])
            if messages:
                entries = [
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages)
                ]
                self._sqs.delete_message_batch(QueueUrl=self.url, Entries=entries)
        self._renew()
        return [str(message["Body"]) for message in messages]

    def _renew(self) -> None:
        """Say now and then that somebody still uses it."""
        if time.monotonic() - self._renewed_at > RETENTION_SECONDS / 6:
            self._renewed_at = time.monotonic()
            expires = str(round(time.time()) + RETENTION_SECONDS)
            with aws_errors("sqs:TagQueue"):
                self._sqs.tag_queue(QueueUrl=self.url, Tags={EXPIRES_TAG: expires})

    def close(self) -> None:
        """Delete it."""
        with aws_errors("sqs:DeleteQueue"):
            self._sqs.delete_queue(QueueUrl=self.url)


def reply_queue_name(prefix: str) -> str:
    """Return a name that nobody else has."""
    return f"{prefix}{secrets.token_hex(16)}"


class Subscription:
    """Everybody's results, by a filter on their attributes."""

    def __init__(self, settings: Settings, wanted: Mapping[str, Sequence[str]], client: str) -> None:
        topic = settings.topic_arn
        if topic is None:
            hint = "set MEDIARELAY_TOPIC_ARN, or pass --stack"
            raise NotFound("no_topic", "where results are told is not known", hint=hint)
        session = settings.session()
        sqs = session.client("sqs", endpoint_url=settings.endpoint_url)
        self._sns = session.client("sns", endpoint_url=settings.endpoint_url)
        policy = {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": "*",
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
                }
            ]
        }
        self._queue = OwnQueue(sqs, reply_queue_name(settings.own_prefix), client, policy)
        attributes = {"RawMessageDelivery": "true"}
        if wanted:
            attributes["FilterPolicy"] = json.dumps({name: list(values) for name, values in wanted.items()})
        try:
            with aws_errors("sns:Subscribe"):
                arn = sqs.get_queue_attributes(QueueUrl=self._queue.url, AttributeNames=["QueueArn"])["Attributes"]
                self._arn = self._sns.subscribe(
                    TopicArn=topic,
                    Protocol="sqs",
                    Endpoint=arn["QueueArn"],
                    Attributes=attributes,
                    ReturnSubscriptionArn=True,
                )["SubscriptionArn"]
        except BaseException:
            self._queue.close()
            raise

    def receive(self, seconds: int) -> list[str]:
        """Return the events that come within so many seconds."""
        return self._queue.receive(seconds)

    def close(self) -> None:
        """Unsubscribe, and delete the queue."""
        try:
            with aws_errors("sns:Unsubscribe"):
                self._sns.unsubscribe(SubscriptionArn=self._arn)
        finally:
            self._queue.close()


def sweep(sqs: Any, prefix: str, now: float) -> list[str]:
    """Delete the queues of clients that ended without closing, an hour after they last were heard of. Their names."""
    swept = []
    with aws_errors("sqs:ListQueues"):
        pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix=prefix)
        urls = [url for page in pages for url in page.get("QueueUrls", ())]
    for url in urls:
        name = url.rpartition("/")[2]
        with aws_errors("sqs:ListQueueTags"):
            expires = sqs.list_queue_tags(QueueUrl=url).get("Tags", {}).get(EXPIRES_TAG)
        if expires is not None and float(expires) < now:
            with aws_errors("sqs:DeleteQueue"):
                sqs.delete_queue(QueueUrl=url)
            swept.append(name)
    return swept
