"""A dead-letter queue is redriven as SQS does it.

AWS: StartMessageMoveTask moves each message to DestinationArn, or without one to the queue that it came from; one that
was sent to the dead-letter queue directly has no such queue, and the task fails with CouldNotDetermineMessageSource. A
moved message is a new one, with an id and a time of its own. (SQS API reference, "StartMessageMoveTask" and
"ListMessageMoveTasks"; SQS developer guide, "Troubleshoot dead-letter queue and DLQ redrive issues in Amazon SQS".)
Stock: knows neither action.
Matters: the runbook's redrive, since dispatch itself sends what it gives up to the dead-letter queue.
AWS works on a task in the background; here it has ended when it has been started.
"""

import json
import time
import uuid
from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function
from tools.localaws.upstream import sqs

Message = dict[str, Any]
SOURCE = "DeadLetterQueueSourceArn"
UNKNOWN_SOURCE = "CouldNotDetermineMessageSource"

_tasks: dict[str, list[dict[str, Any]]] = {}


def apply() -> None:
    """Add the two actions to those that SQS knows."""
    expect_function(sqs, "_queue_by_arn", "arn")
    expect_attributes(sqs, "_HANDLERS", "_Err", "_queues", "_queues_lock", "esm_wake")
    sqs._HANDLERS["StartMessageMoveTask"] = start
    sqs._HANDLERS["ListMessageMoveTasks"] = list_tasks


def start(data: dict[str, Any], _url: str) -> dict[str, Any]:
    """Move what is in a dead-letter queue, as far as it can be moved."""
    source, destination = data["SourceArn"], data.get("DestinationArn")
    queue = _existing(source, "SourceArn")
    if destination:
        _existing(destination, "DestinationArn")
    with sqs._queues_lock:
        if not _is_dead_letter_queue(source):
            raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
        task = _move(queue, destination)
    handle = str(uuid.uuid4())
    outcome = {"Status": "FAILED", "FailureReason": UNKNOWN_SOURCE} if queue["messages"] else {"Status": "COMPLETED"}
    asked = {"SourceArn": source} | ({"DestinationArn": destination} if destination else {})
    _tasks.setdefault(source, []).insert(0, {**asked, **outcome, **task})
    return {"TaskHandle": handle}


def list_tasks(data: dict[str, Any], _url: str) -> dict[str, Any]:
    """Returns the latest tasks of a queue, newest first."""
    _existing(data["SourceArn"], "SourceArn")
    return {"Results": _tasks.get(data["SourceArn"], [])[: int(data.get("MaxResults") or 1)]}


def _existing(arn: str, parameter: str) -> dict[str, Any]:
    queue: dict[str, Any] | None = sqs._queue_by_arn(arn)
    if queue is None:
        raise sqs._Err(
            "ResourceNotFoundException", f"The resource that you specified for the {parameter} parameter doesn't exist."
        )
    return queue


def _is_dead_letter_queue(arn: str) -> bool:
    policies = (queue["attributes"].get("RedrivePolicy") for queue in sqs._queues._data.values())
    return any(json.loads(policy).get("deadLetterTargetArn") == arn for policy in policies if policy)


def _move(queue: dict[str, Any], destination: str | None) -> dict[str, Any]:
    """Move messages in their order, up to the first whose destination nobody knows."""
    to_move = len(queue["messages"])
    now = time.time()
    while queue["messages"]:
        target = destination or queue["messages"][0]["sys"].get(SOURCE)
        if not target:
            break
        _existing(target, "DestinationArn")["messages"].append(_as_new(queue["messages"].pop(0), now))
    sqs.esm_wake.set()
    return {
        "ApproximateNumberOfMessagesMoved": to_move - len(queue["messages"]),
        "ApproximateNumberOfMessagesToMove": to_move,
        "StartedTimestamp": int(now * 1000),
    }


def _as_new(message: Message, now: float) -> Message:
    system = {key: value for key, value in message["sys"].items() if key != SOURCE}
    return {
        **message,
        "id": str(uuid.uuid4()),
        "receipt_handle": None,
        "sent_at": now,
        "visible_at": now,
        "receive_count": 0,
        "first_receive_at": None,
        "sys": {**system, "SentTimestamp": str(int(now * 1000))},
    }
