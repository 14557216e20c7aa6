"""Functions' and queues' metrics reach CloudWatch.

AWS: a log line in the embedded metric format becomes metrics; every queue reports its depth and the age of its oldest
message under AWS/SQS; every invocation counts under AWS/Lambda, and as an error where it failed.
Stock: the first two don't exist, and only what is invoked through Lambda's own API counts.
Matters: each provider call leaves its metrics as EMF, and the alarms watch them, the dead-letter queue's depth, and the
functions' errors.
AWS reports queues each minute; here every MEDIARELAY_LOCAL_METRIC_SECONDS (5).
"""

import time
from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function
from tools.localaws.clock import every, seconds_from_environment
from tools.localaws.fixes.cloudwatch.emf import embedded_metrics
from tools.localaws.fixes.cloudwatch.queue_depth import queue_depth
from tools.localaws.tenant import tenant
from tools.localaws.upstream import cloudwatch, lambda_service, sqs


def apply() -> None:
    """Listen to the functions' logs, and report the queues on a timer."""
    _store_embedded_metrics()
    _count_invocations()
    expect_attributes(sqs, "_queues", "_queues_lock")
    expect_function(cloudwatch, "record_metric", "namespace", "metric_name", "value", "unit", "dimensions")
    every(seconds_from_environment("MEDIARELAY_LOCAL_METRIC_SECONDS", 5), report_queues, "queue-metrics")


def _store_embedded_metrics() -> None:
    emit = expect_function(
        lambda_service, "_emit_lambda_logs", "func", "request_id", "log_text", "error", "duration_ms", "log_source"
    )
    store = expect_function(
        cloudwatch,
        "_store_datum",
        "namespace",
        "name",
        "dims",
        "ts",
        "unit",
        "value",
        "values",
        "counts",
        "stat_values",
    )

    def emit_logs_and_metrics(func: Any, request_id: str, log_text: str, *rest: Any, **options: Any) -> None:
        emit(func, request_id, log_text, *rest, **options)
        for metric in embedded_metrics(log_text or ""):
            store(
                metric.namespace,
                metric.name,
                metric.dimensions,
                metric.timestamp,
                metric.unit,
                None,
                metric.values,
                None,
                None,
            )

    lambda_service._emit_lambda_logs = emit_logs_and_metrics


def _count_invocations() -> None:
    parameters = ("function_name", "duration_ms", "error", "throttle")
    record = expect_function(lambda_service, "_emit_lambda_metrics", *parameters)
    emit = lambda_service._emit_lambda_logs

    def emit_and_count(func: Any, request_id: str, log_text: str, *rest: Any, **options: Any) -> None:
        emit(func, request_id, log_text, *rest, **options)
        error, duration_ms = rest
        record((func.get("config") or func)["FunctionName"], duration_ms, error, throttle=False)

    def count_what_was_refused(function_name: str, *_: Any, throttle: Any = False, **__: Any) -> None:
        if throttle:
            record(function_name, 0.0, error=False, throttle=True)

    lambda_service._emit_lambda_logs = emit_and_count
    lambda_service._emit_lambda_metrics = count_what_was_refused


def report_queues() -> None:
    """Record the depth of every queue of every account and region once."""
    for (account, region, url), queue in list(sqs._queues._data.items()):
        with sqs._queues_lock:
            depth = queue_depth(queue["messages"], time.time())
        with tenant(account, region):
            for name, (value, unit) in depth.items():
                cloudwatch.record_metric("AWS/SQS", name, value, unit, {"QueueName": url.rsplit("/", 1)[-1]})
