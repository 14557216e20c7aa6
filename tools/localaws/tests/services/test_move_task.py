"""SQS developer guide, "Learn how to configure a dead-letter queue redrive in Amazon SQS"."""

import json

import pytest
from botocore.exceptions import ClientError

from tools.localaws.tests.server import until

pytestmark = pytest.mark.stack


@pytest.fixture
def queues(local):
    """The source's and the dead-letter queue's URLs and ARNs; a message goes over after one receive."""
    dead_url, dead_arn = local.queue("dead")
    policy = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    url, arn = local.queue("source", RedrivePolicy=policy, VisibilityTimeout="0")
    return (url, arn), (dead_url, dead_arn)


def moved(local, **task):
    """Start a task and return it when it has ended; None where there are none."""
    sqs = local.client("sqs")
    if not local.fixed:
        with pytest.raises(ClientError, match="InvalidAction"):
            sqs.start_message_move_task(**task)
        return None
    sqs.start_message_move_task(**task)

    def ended():
        return [each for each in tasks(sqs, task["SourceArn"]) if each["Status"] != "RUNNING"]

    return until(ended)[0]


def tasks(sqs, source):
    return sqs.list_message_move_tasks(SourceArn=source)["Results"]


def test_a_message_that_was_sent_to_the_queue_directly_has_no_source_to_go_back_to(local, queues):
    _, (dead_url, dead_arn) = queues
    local.send(dead_url, "parked")
    task = moved(local, SourceArn=dead_arn)
    assert (task is not None) is local.fixed
    if local.fixed:
        assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert [each["Body"] for each in local.received(dead_url)] == ["parked"]


def test_with_a_destination_it_goes_there_as_a_new_message(local, queues):
    (url, arn), (dead_url, dead_arn) = queues
    sqs = local.client("sqs")
    attribute = {"own": {"DataType": "String", "StringValue": "1"}}
    sent = sqs.send_message(QueueUrl=dead_url, MessageBody="parked", MessageAttributes=attribute)
    task = moved(local, SourceArn=dead_arn, DestinationArn=arn)
    if local.fixed:
        assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
        (found,) = local.received(url)
        assert (found["Body"], found["MessageAttributes"]["own"]["StringValue"]) == ("parked", "1")
        assert found["MessageId"] != sent["MessageId"]


def test_what_was_received_too_often_goes_back_by_itself(local, queues):
    (url, _), (dead_url, dead_arn) = queues
    sqs = local.client("sqs")
    local.send(url, "failed")
    until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    sqs.receive_message(QueueUrl=url)

    def is_dead():
        known = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["All"])["Attributes"]
        return known["ApproximateNumberOfMessages"] == "1"

    until(is_dead)
    task = moved(local, SourceArn=dead_arn)
    if local.fixed:
        assert task["Status"] == "COMPLETED"
        assert [each["Body"] for each in local.received(url)] == ["failed"]


def test_a_queue_that_is_nobodys_dead_letter_queue_is_refused(local):
    _, arn = local.queue()
    with pytest.raises(ClientError) as error:
        local.client("sqs").start_message_move_task(SourceArn=arn)
    assert error.value.response["Error"]["Code"] == ("InvalidParameterValue" if local.fixed else "InvalidAction")
