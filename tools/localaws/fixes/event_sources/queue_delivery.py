"""One batch of queue messages: invoke the function and delete what it has dealt with."""

import time
from typing import Any

from tools.localaws.fixes.event_sources.batch_response import REPORTS, failed_identifiers
from tools.localaws.upstream import lambda_service, sqs

THROTTLED_RETRY_SECONDS = 0.2

Message = dict[str, Any]


def deliver(
    mapping: dict[str, Any], function: dict[str, Any], event: dict[str, Any], batch: list[Message], queue_url: str
) -> None:
    """Run a batch: messages of a failed one stay invisible until their timeout, the others are deleted.

    Messages the filter left out are deleted at once, whatever the function makes of the rest.
    """
    wanted = [str(record["messageId"]) for record in event["Records"]]
    _delete(queue_url, [message for message in batch if message["id"] not in wanted])
    result = _invoke(function, event, min(message["visible_at"] for message in batch))
    failed = _failed(mapping, result, wanted)
    mapping["LastProcessingResult"] = (
        f"OK - {len(wanted) - len(failed)} records" if len(failed) < len(wanted) else "FAILED"
    )
    _delete(queue_url, [message for message in batch if message["id"] in wanted and message["id"] not in failed])


def _invoke(function: dict[str, Any], event: dict[str, Any], visible_again: float) -> dict[str, Any]:
    """Invoke, trying again while throttled until the messages become visible again, as AWS does."""
    while True:
        result: dict[str, Any] = lambda_service._execute_function(function, event)
        if not result.get("throttle") or time.time() + THROTTLED_RETRY_SECONDS >= visible_again:
            return result
        time.sleep(THROTTLED_RETRY_SECONDS)


def _failed(mapping: dict[str, Any], result: dict[str, Any], batch: list[str]) -> set[str]:
    if result.get("error"):
        return set(batch)
    if REPORTS not in (mapping.get("FunctionResponseTypes") or []):
        return set()
    return failed_identifiers(result.get("body"), batch)


def _delete(queue_url: str, messages: list[Message]) -> None:
    sqs._delete_messages_for_esm(queue_url, {message["receipt_handle"] for message in messages})
