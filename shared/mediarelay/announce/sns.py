"""The MediaResults topic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from mediarelay.announce.contract import ResultEvent
from mediarelay.aws.stores import store_errors
from mediarelay.vocabulary.errors import StoreUnavailable, Unpublished

_STORE: Final = "results topic"
_OPERATION: Final = "publish results"
# SNS's own limits of a batch; some of the bytes are left for what surrounds the messages.
ENTRIES_LIMIT: Final = 10
BYTES_LIMIT: Final = 256 * 1024 - 8 * 1024
# What subscribers filter by: these fields of the event, where they are known.
ATTRIBUTES: Final = ("kind", "status", "provider", "tenant", "client", "reply_to", "callback")


class SnsResults:
    """Implements `announce.ports.ResultTopic`."""

    def __init__(self, client: Any, topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def publish(self, events: Sequence[ResultEvent]) -> None:
        """See `announce.ports.ResultTopic.publish`."""
        published = 0
        for entries in _batches([_entry(number, event) for number, event in enumerate(events)]):
            try:
                self._publish(entries)
            except StoreUnavailable as error:
                raise Unpublished(error, published + getattr(error, "published", 0)) from error.__cause__
            published += len(entries)

    def _publish(self, entries: Sequence[dict[str, Any]]) -> None:
        with store_errors(_STORE, _OPERATION):
            answer = self._client.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=list(entries))
        refused = {failure["Id"]: failure.get("Code", "unknown") for failure in answer.get("Failed", ())}
        for number, entry in enumerate(entries):
            if entry["Id"] in refused:
                raise Unpublished(StoreUnavailable(_STORE, _OPERATION, refused[entry["Id"]]), number)


def _entry(number: int, event: ResultEvent) -> dict[str, Any]:
    return {
        "Id": str(number),
        "Message": event.model_dump_json(),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": str(value)}
            for name in ATTRIBUTES
            if (value := getattr(event, name))
        },
    }


def _batches(entries: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield batches of as many entries as SNS takes at once."""
    batch: list[dict[str, Any]] = []
    size = 0
    for entry in entries:
        bytes_ = len(entry["Message"].encode())
        if batch and (len(batch) == ENTRIES_LIMIT or size + bytes_ > BYTES_LIMIT):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += bytes_
    if batch:
        yield batch
