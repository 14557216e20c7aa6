"""AWS Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops"."""

import json

import pytest

from tools.localaws.fixes.event_sources.lineage import LONGEST_CHAIN, longest, trace_header
from tools.localaws.tests.server import never, until

# It has no botocore of its own: it sends the trace header as botocore's `add_recursion_detection_header` does.
SENDS_TO_ITSELF = """
import urllib.request

def handler(event, context):
    bodies = [record["body"] for record in event["Records"]]
    note(bodies=bodies, receives=[record["attributes"]["ApproximateReceiveCount"] for record in event["Records"]])
    for body in bodies:
        if body.startswith("loop"):
            send(body)

def send(body):
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], method="POST")
    for name, value in {
        "X-Amz-Target": "AmazonSQS.SendMessage",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amzn-Trace-Id": os.environ.get("_X_AMZN_TRACE_ID", ""),
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request",
    }.items():
        request.add_header(name, value)
    url = body.partition(" ")[2]
    urllib.request.urlopen(request, json.dumps({"QueueUrl": url, "MessageBody": body}).encode()).read()
"""
MORE_THAN_AWS_RUNS = LONGEST_CHAIN + 4


def looping(local, **queue):
    function = local.function(SENDS_TO_ITSELF)
    url, arn = local.queue(**queue)
    local.map(function, arn, BatchSize=10)
    local.send(url, f"loop {url}")
    return function, url


def trips(function) -> int:
    return sum(body.startswith("loop") for bodies in function.noted("bodies") for body in bodies)


def test_chains_of_a_batch_go_on_as_the_longest():
    first = trace_header({}, "one", sampled=False)
    second = trace_header(longest([first]), "one", sampled=False)
    other = trace_header(longest([second, None, first, "Root=1-0-0"]), "two", sampled=True)
    assert sorted(longest([first, other]).values()) == [1, 2]


@pytest.mark.stack
def test_a_chain_of_messages_to_itself_is_stopped_and_its_messages_grow_older(local):
    function, url = looping(local, VisibilityTimeout="1")
    if local.fixed:
        until(lambda: trips(function) == LONGEST_CHAIN)
        # The message goes on being received, and never gets through.
        attributes = ["ApproximateReceiveCount"]
        assert never(lambda: trips(function) > LONGEST_CHAIN, 2.5)
        mapping = local.mappings[-1]
        assert local.client("lambda").get_event_source_mapping(UUID=mapping)["LastProcessingResult"] == "FAILED"
        local.client("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
        found = until(
            lambda: (
                local.client("sqs")
                .receive_message(QueueUrl=url, MessageSystemAttributeNames=attributes)
                .get("Messages")
            )
        )
        assert int(found[0]["Attributes"]["ApproximateReceiveCount"]) > 2
    else:
        until(lambda: trips(function) > MORE_THAN_AWS_RUNS)
    local.client("sqs").purge_queue(QueueUrl=url)


@pytest.mark.stack
def test_a_function_that_allows_it_goes_on(local):
    function = local.function(SENDS_TO_ITSELF)
    local.client("lambda").put_function_recursion_config(FunctionName=function.name, RecursiveLoop="Allow")
    url, arn = local.queue()
    local.map(function, arn, BatchSize=10)
    local.send(url, f"loop {url}")
    until(lambda: trips(function) > MORE_THAN_AWS_RUNS)
    local.client("sqs").purge_queue(QueueUrl=url)


@pytest.mark.stack
def test_a_template_sets_it(local):
    resource = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": f"{local.name}-allowed",
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "Role": "arn:aws:iam::000000000000:role/tests",
            "Code": {"ZipFile": "def handler(event, context): pass"},
            "RecursiveLoop": "Allow",
        },
    }
    cloudformation = local.client("cloudformation")
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Function": resource}}
    cloudformation.create_stack(StackName=f"{local.name}-stack", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=f"{local.name}-stack", WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    config = local.client("lambda").get_function_recursion_config(FunctionName=f"{local.name}-allowed")
    assert (config["RecursiveLoop"] == "Allow") is local.fixed
