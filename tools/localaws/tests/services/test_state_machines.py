import json
import time

import boto3
import pytest
from botocore.exceptions import ClientError

from tools.localaws.tests.server import ROLE, until

pytestmark = pytest.mark.stack

FAILING = """
def handler(event, context):
    note(tried=True)
    raise TimeoutError("not now")
"""


@pytest.fixture
def machine(local):
    """Make a state machine of these states."""

    def make(start, states, **settings):
        document = json.dumps({"StartAt": start, "States": states, **settings})
        client = local.client("stepfunctions")
        name = f"{local.name}-machine"
        return client.create_state_machine(name=name, definition=document, roleArn=ROLE)["stateMachineArn"]

    return make


def ended(local, arn):
    client = local.client("stepfunctions")
    until(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING")
    return client.describe_execution(executionArn=arn)


def refusal(call, **arguments):
    """The error code of a call, None when it is accepted."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


WAITING = {"W": {"Type": "Wait", "Seconds": 3, "End": True}}


def test_starting_a_running_execution_again_with_the_same_input_is_no_error(local, machine):
    arn, start = machine("W", WAITING), local.client("stepfunctions").start_execution
    first = start(stateMachineArn=arn, name="job-1", input='{"a":1}')["executionArn"]
    again = refusal(start, stateMachineArn=arn, name="job-1", input='{"a":1}')
    assert again == (None if local.fixed else "ExecutionAlreadyExists")
    assert refusal(start, stateMachineArn=arn, name="job-1", input='{"a":2}') == "ExecutionAlreadyExists"
    ended(local, first)
    assert refusal(start, stateMachineArn=arn, name="job-1", input='{"a":1}') == "ExecutionAlreadyExists"


@pytest.mark.parametrize("name", ["x" * 81, "two words", "job#branch", "a/b"])
def test_a_name_that_aws_would_refuse_is_refused(local, machine, name):
    code = refusal(local.client("stepfunctions").start_execution, stateMachineArn=machine("W", WAITING), name=name)
    assert code == ("InvalidName" if local.fixed else None)


@pytest.mark.parametrize("name", ["job-1@kling-video", "order.17_b", "x" * 80])
def test_the_names_of_our_executions_are_accepted(local, machine, name):
    start = local.client("stepfunctions").start_execution
    assert refusal(start, stateMachineArn=machine("W", WAITING), name=name) is None


def test_a_retry_waits_no_longer_than_its_cap(local, machine):
    function = local.function(FAILING)
    retry = {
        "ErrorEquals": ["States.ALL"],
        "IntervalSeconds": 1,
        "MaxAttempts": 3,
        "BackoffRate": 4,
        "MaxDelaySeconds": 2,
        "JitterStrategy": "FULL",
    }
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True, "Retry": [retry]}
    arn = machine("T", {"T": {**task, "Parameters": {"FunctionName": function.name, "Payload": {}}}})
    started = time.monotonic()
    client = local.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=arn)["executionArn"]
    if local.fixed:
        assert ended(local, execution)["error"] == "TimeoutError"
        assert len(function.notes()) == 4
        return
    # Uncapped, the three waits are 1 + 4 + 16 seconds: after ten of them stock still waits for the last.
    until(lambda: len(function.notes()) == 3)
    time.sleep(max(0.0, started + 10 - time.monotonic()))
    assert len(function.notes()) == 3


def test_a_task_whose_function_is_throttled_fails_by_that_name(local, machine):
    function = local.function(FAILING)
    local.client("lambda").put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=0)
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    arn = machine("T", {"T": {**task, "Parameters": {"FunctionName": function.name, "Payload": {}}}})
    execution = local.client("stepfunctions").start_execution(stateMachineArn=arn)["executionArn"]
    error = "Lambda.TooManyRequestsException" if local.fixed else "Lambda.Unknown"
    assert ended(local, execution)["error"] == error
    assert function.notes() == []


def test_a_machine_with_a_timeout_ends_its_execution(local, machine):
    arn = machine("W", WAITING, TimeoutSeconds=1)
    execution = local.client("stepfunctions").start_execution(stateMachineArn=arn)["executionArn"]
    assert ended(local, execution)["status"] == ("TIMED_OUT" if local.fixed else "SUCCEEDED")


def test_a_task_waits_to_be_called_back_no_longer_than_its_data_say(local, machine):
    queue = local.client("sqs").create_queue(QueueName=f"{local.name}-tokens")["QueueUrl"]
    waiting = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
        "TimeoutSecondsPath": "$.seconds",
        "End": True,
    }
    arn, client = machine("T", {"T": waiting}), local.client("stepfunctions")
    execution = client.start_execution(stateMachineArn=arn, input='{"seconds":1}')["executionArn"]
    if local.fixed:
        assert ended(local, execution)["error"] == "States.Timeout"
        return
    time.sleep(4)
    assert client.describe_execution(executionArn=execution)["status"] == "RUNNING"
    client.stop_execution(executionArn=execution)


def test_a_token_comes_by_way_of_a_table_and_lets_the_task_go_on(local, machine):
    """Through the AWS SDK integration, and with its result discarded, as the shipped machine does it."""
    dynamodb, client = local.client("dynamodb"), local.client("stepfunctions")
    table = f"{local.name}-tokens"
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )
    item = {
        "pk": {"S.$": "$.id"},
        "token": {"S.$": "$$.Task.Token"},
        "ttl": {"N.$": "States.Format('{}', $.ttl)"},
    }
    waiting = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken",
        "Parameters": {"TableName": table, "Item": item},
        "TimeoutSecondsPath": "$.seconds",
        "ResultPath": None,
        "End": True,
    }
    given = {"id": "r-1", "seconds": 60, "ttl": 4102444800}
    arn = machine("T", {"T": waiting})
    execution = client.start_execution(stateMachineArn=arn, input=json.dumps(given))["executionArn"]
    find = {"TableName": table, "Key": {"pk": {"S": "r-1"}}}
    until(lambda: "Item" in dynamodb.get_item(**find))
    kept = dynamodb.get_item(**find)["Item"]
    assert kept["ttl"] == {"N": "4102444800"}
    client.send_task_success(taskToken=kept["token"]["S"], output="{}")
    assert json.loads(ended(local, execution)["output"]) == given
    assert refusal(client.send_task_success, taskToken=kept["token"]["S"], output="{}") == "TaskDoesNotExist"


def test_a_token_is_answered_by_whoever_may_answer_for_its_machine(local, machine):
    queue = local.client("sqs").create_queue(QueueName=f"{local.name}-tokens")["QueueUrl"]
    waiting = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
        "TimeoutSeconds": 60,
        "End": True,
    }
    arn, client, iam = machine("T", {"T": waiting}), local.client("stepfunctions"), local.client("iam")
    client.start_execution(stateMachineArn=arn)
    received = {}
    until(lambda: received.update(local.client("sqs").receive_message(QueueUrl=queue)) or "Messages" in received)
    token = received["Messages"][0]["Body"]

    def someone(name, resource):
        """A client of a user who may answer for that machine."""
        iam.create_user(UserName=name)
        allowed = {"Effect": "Allow", "Action": "states:SendTaskSuccess", "Resource": resource}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName=name, PolicyName="answer", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name="us-east-1")
        return session.client("stepfunctions", endpoint_url=client.meta.endpoint_url)

    answer = {"taskToken": token, "output": "{}"}
    assert (
        refusal(someone(f"{local.name}-other", f"{arn}-other").send_task_success, **answer) == "AccessDeniedException"
    )
    code = refusal(someone(f"{local.name}-own", arn).send_task_success, **answer)
    assert code == (None if local.fixed else "AccessDeniedException")
