"""Each alarm is made to ring by its cause, on the deployed template.

CloudWatch user guide, "Using Amazon CloudWatch alarms" and "Configuring how CloudWatch alarms treat missing data". The
alarms are the template's own, as they were deployed, but for two things: one breaching period is enough, and it is
short.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders.requests import tts
from tests.harness.deployed import Relay, deployed, until
from tests.harness.template import load_template
from tools.local.outage.inbox import Inbox

pytestmark = pytest.mark.stack

FUNCTIONS = {
    name: name.removesuffix("Function")
    for name, each in load_template()["Resources"].items()
    if each["Type"] == "AWS::Serverless::Function" and "Condition" not in each
}
KEPT = (
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "ComparisonOperator",
    "Threshold",
    "TreatMissingData",
    "AlarmActions",
    "InsufficientDataActions",
)
LONG, SHORT = 300, 4


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Relay]:
    settings = {"MEDIARELAY_LOCAL_METRIC_SECONDS": "1", "MEDIARELAY_LOCAL_ALARM_SECONDS": "1"}
    with deployed(tmp_path_factory.mktemp("alarms"), built, settings=settings) as running:
        yield running


class Desk:
    """The alarms of the stack, by the template's names."""

    def __init__(self, relay: Relay) -> None:
        self._cloudwatch = relay.stack.client("cloudwatch")
        cloudformation = relay.stack.client("cloudformation")
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=relay.stack.plan.stack_name)
        found = [each for page in pages for each in page["StackResourceSummaries"]]
        self.physical = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}
        topic = relay.stack.outputs["ProviderAlertsTopicArn"]
        self._inbox = Inbox(relay.stack.client("sqs"), relay.stack.client("sns"), topic, "alarms")
        self._told: set[tuple[str, str]] = set()

    def watch(self, name: str, *, period: int = LONG, of: str = "") -> str:
        """Put a quick copy of an alarm, or of one like it of another function; its name."""
        (alarm,) = self._cloudwatch.describe_alarms(AlarmNames=[self.physical[name]])["MetricAlarms"]
        copy = f"quick-{name}-{of}"
        if of:
            alarm["Dimensions"] = [{"Name": "FunctionName", "Value": of}]
        kept: dict[str, Any] = {each: alarm[each] for each in KEPT if each in alarm}
        self._cloudwatch.put_metric_alarm(AlarmName=copy, Period=period, EvaluationPeriods=1, **kept)
        return copy

    def state(self, copy: str) -> str:
        (alarm,) = self._cloudwatch.describe_alarms(AlarmNames=[copy])["MetricAlarms"]
        return str(alarm["StateValue"])

    def told(self) -> set[tuple[str, str]]:
        """The alarms of which there was news, each with the state that it was of."""
        news = [json.loads(body) for body in self._inbox.receive(0)]
        self._told |= {(each["AlarmName"], each["NewStateValue"]) for each in news if "AlarmName" in each}
        return self._told

    def rings(self, copy: str) -> None:
        until(lambda: self.state(copy) == "ALARM", copy)

    def quiet(self, copy: str) -> None:
        until(lambda: self.state(copy) != "ALARM", f"the end of {copy}")


@pytest.fixture(scope="module")
def desk(relay: Relay) -> Desk:
    return Desk(relay)


def test_a_message_that_is_put_off_long_after_it_was_published(relay: Relay, desk: Desk) -> None:
    copy = desk.watch("MessageAgeAlarm")
    hours_ago = {"DataType": "String", "StringValue": str(round((time.time() - 3000) * 1000))}
    with relay.proxy.trouble("dynamodb", relay.stack.outputs["JobsTableName"]):
        relay.stack.client("sqs").send_message(
            QueueUrl=relay.stack.outputs["RequestQueueUrl"],
            MessageBody='{"kind": "tts", "input": {"text": "old"}}',
            MessageAttributes={"mediarelay_sent_at": hours_ago},
        )
        desk.rings(copy)


def test_many_messages_that_are_put_off(relay: Relay, desk: Desk) -> None:
    sqs, url = relay.stack.client("sqs"), relay.stack.outputs["RequestQueueUrl"]
    copy = desk.watch("DelayedRequestsAlarm", period=SHORT)
    entries = [{"Id": str(number), "MessageBody": "{}", "DelaySeconds": 900} for number in range(10)]
    for _ in range(101):
        sqs.send_message_batch(QueueUrl=url, Entries=entries)
    desk.rings(copy)
    sqs.purge_queue(QueueUrl=url)
    desk.quiet(copy)


def test_a_request_that_is_parked(relay: Relay, desk: Desk) -> None:
    copy = desk.watch("RequestDlqAlarm", period=SHORT)
    relay.publish(["{"])
    desk.rings(copy)
    assert len(relay.parked()) == 1
    desk.quiet(copy)


def test_a_lost_request_that_nobody_ends(relay: Relay, desk: Desk) -> None:
    functions = relay.stack.client("lambda")
    copy = desk.watch("LostRequestsAlarm", period=SHORT)
    mappings = functions.list_event_source_mappings(FunctionName=relay.stack.outputs["DispatchRequestFunctionName"])
    (lost,) = [each for each in mappings["EventSourceMappings"] if "LostRequestQueue" in each["EventSourceArn"]]
    functions.update_event_source_mapping(UUID=lost["UUID"], Enabled=False)
    request = tts("lost", request_id="lost-1")
    relay.stack.client("sqs").send_message(
        QueueUrl=relay.stack.outputs["LostRequestQueueUrl"], MessageBody=json.dumps(request)
    )
    desk.rings(copy)
    functions.update_event_source_mapping(UUID=lost["UUID"], Enabled=True)
    (event,) = relay.await_events(["lost-1"])["lost-1"]
    assert event.error is not None
    assert event.error.code == "worker_lost"
    until(lambda: [each["MessageAttributes"]["error_code"]["StringValue"] for each in relay.parked()], "its parking")
    desk.quiet(copy)


def test_a_secret_that_cannot_be_read(relay: Relay, desk: Desk) -> None:
    copy = desk.watch("SecretUnreadableAlarm")
    with relay.proxy.trouble("secretsmanager", "provider-keys"):
        # A new worker, since a running one has just read it.
        fresh(relay, desk.physical["ProbeProvidersFunction"])
        relay.stack.client("lambda").invoke(FunctionName=desk.physical["ProbeProvidersFunction"], Payload=b"{}")
        desk.rings(copy)


def fresh(relay: Relay, function: str) -> None:
    client = relay.stack.client("lambda")
    variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=function, Environment={"Variables": {**variables, "FRESH": str(time.time())}}
    )


def test_a_sweep_that_is_silent(relay: Relay, desk: Desk) -> None:
    """Last but one: nothing sweeps from here on. What was never heard of is no silence: it was told of nothing."""
    client, function = relay.stack.client("lambda"), desk.physical["ProbeProvidersFunction"]
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    unheard = desk.watch("SweepSilentAlarm", period=SHORT, of="NeverInvoked")
    client.delete_function_concurrency(FunctionName=function)
    client.invoke(FunctionName=function, Payload=b"{}")
    copy = desk.watch("SweepSilentAlarm", period=SHORT)
    until(lambda: desk.state(copy) == "OK", "a sweep that is heard")
    client.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    until(lambda: desk.state(copy) == "INSUFFICIENT_DATA", "the silence")
    until(lambda: (copy, "INSUFFICIENT_DATA") in desk.told(), "news of the silence")
    assert unheard not in {name for name, _ in desk.told()}
    client.delete_function_concurrency(FunctionName=function)


def test_every_function_that_fails_and_that_is_throttled(relay: Relay, desk: Desk) -> None:
    """The last one: no function works any more."""
    client = relay.stack.client("lambda")
    errors = [desk.watch(f"{name}ErrorsAlarm") for name in FUNCTIONS.values()]
    throttles = [desk.watch(f"{name}ThrottlesAlarm") for name in FUNCTIONS.values()]
    for function, name in FUNCTIONS.items():
        physical = desk.physical[function]
        if name == "AuthorizeRequest":  # every refusal is an error, so that a single one is no news
            for _ in range(25):
                client.invoke(FunctionName=physical, Payload=b'{"headers": {"authorization": "Bearer guessed"}}')
        else:
            # Without layers, whose unpacking takes longer than all else, there is nothing to import, either.
            client.update_function_configuration(FunctionName=physical, Handler="gone.handler", Layers=[])
            client.invoke(FunctionName=physical, Payload=b"{}")
    for copy in errors:
        desk.rings(copy)
    for function in FUNCTIONS:
        physical = desk.physical[function]
        client.put_function_concurrency(FunctionName=physical, ReservedConcurrentExecutions=0)
        with pytest.raises(client.exceptions.TooManyRequestsException):
            client.invoke(FunctionName=physical, Payload=b"{}")
    for copy in throttles:
        desk.rings(copy)
