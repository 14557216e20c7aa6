"""Sends a failure record to a mapping's OnFailure destination: an SQS queue or an SNS topic."""

import logging
import uuid
from typing import Any

from tools.localaws.upstream import sns, sqs

logger = logging.getLogger("mediarelay.launcher")


def send(mapping: dict[str, Any], body: str) -> None:
    """Deliver a record to the destination of an event source mapping, when it has one."""
    destination = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", "")
    service = destination.split(":")[2] if destination else ""
    if service == "sqs":
        _to_queue(destination.rsplit(":", 1)[-1], body)
    elif service == "sns":
        sns._fanout(destination, str(uuid.uuid4()), body, "")
    elif destination:
        logger.error("failure destination %s is neither a queue nor a topic: record lost", destination)


def _to_queue(name: str, body: str) -> None:
    url = sqs._queue_url(name)
    if sqs._queues.get(url) is None:
        logger.error("failure destination queue %s does not exist: record lost", name)
        return
    sqs._act_send_message({"QueueUrl": url, "MessageBody": body}, url)
