import json
import time

import pytest

from tools.localaws.fixes.cloudwatch.emf import EmbeddedMetric, embedded_metrics
from tools.localaws.fixes.cloudwatch.queue_depth import queue_depth
from tools.localaws.tests.server import until


def document(**changes):
    metadata = {
        "Timestamp": 1_700_000_000_000,
        "CloudWatchMetrics": [
            {
                "Namespace": "mediarelay",
                "Dimensions": [["provider"], ["provider", "outcome"]],
                "Metrics": [{"Name": "latency", "Unit": "Milliseconds"}],
            }
        ],
    }
    return {"_aws": metadata, "provider": "openai-tts", "outcome": "delivered", "latency": [12, 30.5], **changes}


def test_a_document_gives_one_metric_per_dimension_set():
    found = list(embedded_metrics("START\n" + json.dumps(document()) + "\nplain"))
    assert found == [
        EmbeddedMetric("mediarelay", "latency", [12.0, 30.5], "Milliseconds", dimensions, 1_700_000_000.0)
        for dimensions in ({"provider": "openai-tts"}, {"provider": "openai-tts", "outcome": "delivered"})
    ]


@pytest.mark.parametrize(
    "line",
    ['{"_aws": 1}', '{"_aws": {}}', '"_aws" and no JSON', json.dumps(document(latency="fast")), '{"_aws": {'],
)
def test_a_line_that_is_no_valid_document_is_only_a_log_line(line):
    assert list(embedded_metrics(line)) == []


def test_the_depth_of_a_queue_tells_visible_from_delayed_and_in_flight():
    messages = [
        {"visible_at": 10, "sent_at": 10, "receive_count": 0},
        {"visible_at": 200, "sent_at": 40, "receive_count": 1},
        {"visible_at": 200, "sent_at": 50, "receive_count": 0},
    ]
    assert queue_depth(messages, now=100) == {
        "ApproximateNumberOfMessagesVisible": (1, "Count"),
        "ApproximateNumberOfMessagesNotVisible": (1, "Count"),
        "ApproximateNumberOfMessagesDelayed": (1, "Count"),
        "ApproximateAgeOfOldestMessage": (90, "Seconds"),
    }
    assert queue_depth([], now=100)["ApproximateAgeOfOldestMessage"] == (0, "Seconds")


@pytest.mark.stack
def test_a_log_line_in_embedded_metric_format_becomes_a_metric(local):
    line = document(_aws={**document()["_aws"], "Timestamp": int(time.time() * 1000)}, provider=local.name)
    function = local.function(f"def handler(event, context): print({json.dumps(line)!r})\n")
    function.invoke()
    found = local.client("cloudwatch").list_metrics(
        Namespace="mediarelay", Dimensions=[{"Name": "provider", "Value": local.name}]
    )["Metrics"]
    assert len(found) == (2 if local.fixed else 0)


@pytest.mark.stack
def test_a_queue_reports_its_depth(local):
    url, _ = local.queue()
    local.send(url, "x")
    dimensions = [{"Name": "QueueName", "Value": f"{local.name}-queue"}]

    def names():
        found = local.client("cloudwatch").list_metrics(Namespace="AWS/SQS", Dimensions=dimensions)["Metrics"]
        return {metric["MetricName"] for metric in found}

    if local.fixed:
        assert until(names) == set(queue_depth([], now=0))
    else:
        assert local.client("cloudwatch").list_metrics(Namespace="AWS/SQS")["Metrics"] == []


@pytest.mark.stack
def test_an_invocation_from_a_queue_counts_and_so_does_its_error(local):
    function = local.function("def handler(event, context): raise ValueError('bad')\n")
    url, arn = local.queue()
    local.map(function, arn, BatchSize=1)
    local.send(url, "x")
    mapping = local.mappings[-1]
    fetch = local.client("lambda").get_event_source_mapping
    until(lambda: fetch(UUID=mapping)["LastProcessingResult"] == "FAILED")
    dimensions = [{"Name": "FunctionName", "Value": function.name}]
    found = local.client("cloudwatch").list_metrics(Namespace="AWS/Lambda", Dimensions=dimensions)["Metrics"]
    names = {metric["MetricName"] for metric in found}
    assert names == ({"Invocations", "Errors", "Throttles", "Duration"} if local.fixed else set())
