"""Queues reach functions with AWS's batching, and a failing batch holds nothing else up.

AWS: MaximumBatchingWindowInSeconds gathers messages, and with it a batch may exceed ten; a failed batch leaves the next
one alone; a throttled invocation is tried again until its messages become visible; an answer that names an unknown or
empty itemIdentifier fails the whole batch.
Stock: the window is ignored and batches are cut at ten; any error pauses the source for a second; a throttled batch is
dropped until its visibility timeout, and costs a receive; a bad itemIdentifier counts as success and loses the message.
ScalingConfig.MaximumConcurrency stock honours (five without it), and batches of one source do run side by side.
Matters: dispatch.
"""

import time
from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function
from tools.localaws.clock import wake_event_sources_in
from tools.localaws.fixes.event_sources.queue_delivery import deliver
from tools.localaws.fixes.event_sources.queue_window import batch_limit, seconds_to_wait
from tools.localaws.upstream import lambda_service, sqs


def apply() -> None:
    """Replace how a mapping's batch is received and run; polling and concurrency stay MiniStack's."""
    expect_function(sqs, "_receive_messages_for_esm", "queue_url", "max_number")
    expect_function(sqs, "_delete_messages_for_esm", "queue_url", "receipt_handles")
    expect_function(sqs, "_collect_msgs", "q", "max_n", "vis_timeout")
    expect_attributes(sqs, "_queues_lock", "_get_q", "_expire_retained", "_dlq_sweep")
    expect_function(lambda_service, "_run_sqs_batch", "esm", "func_rec", "event", "batch", "queue_url", "queue_name")
    sqs._receive_messages_for_esm = receive_batch
    lambda_service._run_sqs_batch = run_batch


def receive_batch(queue_url: str, batch_size: int) -> list[dict[str, Any]]:
    """Take a batch from a queue, or nothing while its window lets it gather."""
    with sqs._queues_lock:
        queue = sqs._get_q(queue_url)
        sqs._expire_retained(queue)
        sqs._dlq_sweep(queue)
        window = 0.0 if queue["is_fifo"] else _window(queue["attributes"]["QueueArn"])
        limit = batch_limit(int(batch_size or 1), window=window, fifo=queue["is_fifo"])
        wait = seconds_to_wait(_available_since(queue), limit=limit, window=window, now=time.time())
        if wait:
            wake_event_sources_in(wait)
            return []
        visibility = int(queue["attributes"].get("VisibilityTimeout", "30"))
        batch: list[dict[str, Any]] = sqs._collect_msgs(queue, limit, visibility)
        return batch


def run_batch(
    esm: dict[str, Any], func_rec: dict[str, Any], event: dict[str, Any], batch: list[dict[str, Any]], *queue: str
) -> None:
    """Run one batch in MiniStack's place; `queue` is its URL and its name."""
    deliver(esm, func_rec, event, batch, queue[0])


def _window(queue_arn: str) -> float:
    # Upstream does not say for which mapping it receives; of several on one queue the longest window counts.
    mappings = [mapping for mapping in lambda_service._esms.values() if mapping.get("EventSourceArn") == queue_arn]
    return max((float(mapping.get("MaximumBatchingWindowInSeconds") or 0) for mapping in mappings), default=0.0)


def _available_since(queue: dict[str, Any]) -> list[float]:
    now = time.time()
    since = (message.get("visible_at", message["sent_at"]) for message in queue["messages"])
    return [moment for moment in since if moment <= now]
