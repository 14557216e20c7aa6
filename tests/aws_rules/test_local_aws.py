"""The deployed template on a local AWS that enforces AWS's rules: each mend holds, and without it the rule bites.

The rules and their pages are in `tools/localaws/fixes`: "Use Lambda recursive loop detection to prevent infinite
loops", "Log-level filtering" and "Best practices for working with AWS Lambda functions" of the Lambda developer guide;
"Troubleshoot dead-letter queue and DLQ redrive issues in Amazon SQS" of the SQS developer guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.builders.requests import tts
from tests.harness.deployed import Relay, deployed, until
from tools.localaws.fixes.event_sources.lineage import LONGEST_CHAIN, longest, trace_header

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Relay]:
    settings = {"MEDIARELAY_LOCAL_CUT_IDLE_CONNECTIONS": "aws"}
    with deployed(tmp_path_factory.mktemp("rules"), built, settings=settings, LogLevel="WARN") as running:
        yield running


@pytest.fixture(autouse=True)
def healthy_vendors(relay: Relay) -> None:
    relay.simulator.client.reset()


def dispatch(relay: Relay) -> str:
    return relay.stack.outputs["DispatchRequestFunctionName"]


def metrics(relay: Relay, namespace: str, **dimensions: str) -> set[str]:
    wanted = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    found = relay.stack.client("cloudwatch").list_metrics(Namespace=namespace, Dimensions=wanted)["Metrics"]
    return {metric["MetricName"] for metric in found}


def served(relay: Relay, request_id: str, **fields: Any) -> str:
    """Publish one request and return how it ended."""
    relay.publish([tts(request_id, request_id=request_id, **fields)])
    (event,) = relay.await_events([request_id])[request_id]
    return str(event.status)


def arn_of(relay: Relay, url: str) -> str:
    attributes = relay.stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(attributes["Attributes"]["QueueArn"])


def publish_late_in_a_chain(relay: Relay, request_id: str) -> None:
    """Publish a message that has gone round almost as often as Lambda bears, and have it deferred once more."""
    header = ""
    for _ in range(LONGEST_CHAIN - 1):
        header = trace_header(longest([header]), dispatch(relay), sampled=False)
    troubled = relay.proxy.troubled
    with relay.proxy.trouble("dynamodb", relay.stack.outputs["JobsTableName"]):
        relay.stack.client("sqs").send_message(
            QueueUrl=relay.stack.outputs["RequestQueueUrl"],
            MessageBody=json.dumps(tts(request_id, request_id=request_id)),
            MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": header}},
        )
        until(lambda: relay.proxy.troubled > troubled, "a call to the table")
        until(lambda: delayed(relay), "the deferral")


def delayed(relay: Relay) -> bool:
    name = "ApproximateNumberOfMessagesDelayed"
    url = relay.stack.outputs["RequestQueueUrl"]
    attributes = relay.stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
    return int(attributes[name]) > 0


def test_a_deferred_message_goes_on_where_lambda_would_stop_its_chain(relay: Relay) -> None:
    publish_late_in_a_chain(relay, "allowed")
    (event,) = relay.await_events(["allowed"])["allowed"]
    assert event.status == "succeeded"
    assert metrics(relay, "AWS/Lambda", FunctionName=dispatch(relay)) & {"RecursiveInvocationsDropped"} == set()


def troubles(relay: Relay) -> int:
    """How many lines of the logs tell of a store that was unavailable."""
    return sum("unavailable" in line for line in relay.function_logs().splitlines())


def test_an_idle_connection_that_died_costs_no_lease_and_no_telemetry(relay: Relay) -> None:
    before = troubles(relay)
    for number in range(5):
        assert served(relay, f"alone-{number}") == "succeeded"
    assert troubles(relay) == before
    assert "LeasesUnavailable" not in metrics(relay, "mediarelay")


def test_with_warnings_only_the_metrics_are_there_and_without_the_filters_own_level_they_were_not(relay: Relay) -> None:
    served(relay, "a-metric", providers=["openai-tts"])
    until(lambda: "AttemptLatency" in metrics(relay, "mediarelay", provider="openai-tts"), "the metric")
    with logging_at(relay, "WARN"):
        for number in range(2):  # the second is served after the log of the first one was written
            served(relay, f"no-metric-{number}", providers=["elevenlabs-tts"])
    assert metrics(relay, "mediarelay", provider="elevenlabs-tts") == set()


@contextmanager
def logging_at(relay: Relay, level: str) -> Iterator[None]:
    """Filter at the level that the parameter LogLevel had set."""
    client, name = relay.stack.client("lambda"), dispatch(relay)
    before: dict[str, Any] = client.get_function_configuration(FunctionName=name)["LoggingConfig"]
    client.update_function_configuration(FunctionName=name, LoggingConfig={**before, "ApplicationLogLevel": level})
    try:
        yield
    finally:
        client.update_function_configuration(FunctionName=name, LoggingConfig=before)


def test_the_runbooks_redrive_moves_a_parked_message_and_buys_nothing(relay: Relay) -> None:
    sqs, dlq = relay.stack.client("sqs"), relay.stack.outputs["RequestDlqUrl"]
    (published,) = relay.publish(['{"kind": "tts"}'])
    until(lambda: depth(relay, dlq), "the parked message")
    source, destination = arn_of(relay, dlq), arn_of(relay, relay.stack.outputs["RequestQueueUrl"])
    sqs.start_message_move_task(SourceArn=source)
    (failed,) = sqs.list_message_move_tasks(SourceArn=source)["Results"]
    assert (failed["Status"], failed["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    sqs.start_message_move_task(SourceArn=source, DestinationArn=destination)
    (moved, _) = sqs.list_message_move_tasks(SourceArn=source, MaxResults=2)["Results"]
    assert (moved["Status"], moved["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
    until(lambda: depth(relay, dlq), "the message, parked again")
    (parked,) = relay.parked()
    assert parked["MessageAttributes"]["mediarelay_request_id"]["StringValue"] == published
    assert relay.simulator.client.paid() == {}


def depth(relay: Relay, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    attributes = relay.stack.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
    return int(attributes[name])


def test_without_the_permission_that_chain_is_stopped(relay: Relay) -> None:
    """The last one here: its message stays in the queue."""
    client = relay.stack.client("lambda")
    client.put_function_recursion_config(FunctionName=dispatch(relay), RecursiveLoop="Terminate")
    publish_late_in_a_chain(relay, "stopped")
    dropped = "RecursiveInvocationsDropped"
    until(lambda: dropped in metrics(relay, "AWS/Lambda", FunctionName=dispatch(relay)), "the refusal")
    assert relay.jobs("stopped") == {}
    assert relay.simulator.client.paid() == {}
