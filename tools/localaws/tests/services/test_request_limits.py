import base64
import hashlib
import json

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.stack


def refused(call, **arguments) -> str | None:
    """The error code of a call, None when it is accepted."""
    try:
        call(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


@pytest.mark.parametrize("delay", [-1, 901])
def test_a_delay_beyond_fifteen_minutes_is_refused(local, delay):
    url, _ = local.queue()
    code = refused(local.client("sqs").send_message, QueueUrl=url, MessageBody="x", DelaySeconds=delay)
    assert code == ("InvalidParameterValue" if local.fixed else None)


def test_a_delay_beyond_fifteen_minutes_fails_its_entry_of_a_batch(local):
    url, _ = local.queue()
    entries = [
        {"Id": "ok", "MessageBody": "x", "DelaySeconds": 900},
        {"Id": "far", "MessageBody": "y", "DelaySeconds": 901},
    ]
    answer = local.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in answer.get("Failed", [])] == (["far"] if local.fixed else [])


@pytest.mark.parametrize(
    "publication",
    [
        {"Message": ""},
        {"Message": "x", "Subject": "s" * 101},
        {"Message": "x", "Subject": "two\nlines"},
        {"Message": "x", "Subject": "dégradé"},
    ],
)
def test_a_topic_refuses_an_empty_message_and_a_bad_subject(local, publication):
    topic = local.client("sns").create_topic(Name=local.name)["TopicArn"]
    code = refused(local.client("sns").publish, TopicArn=topic, **publication)
    assert code == ("InvalidParameter" if local.fixed else None)


def test_a_good_subject_is_published_in_stock_too(local):
    topic = local.client("sns").create_topic(Name=local.name)["TopicArn"]
    assert local.client("sns").publish(TopicArn=topic, Message="x", Subject="s" * 100)["MessageId"]


def test_storing_an_object_answers_with_its_checksum(local):
    checksum = base64.b64encode(hashlib.sha256(b"sound").digest()).decode()
    local.client("s3").create_bucket(Bucket=f"{local.name}-bucket")
    stored = local.client("s3").put_object(
        Bucket=f"{local.name}-bucket", Key="k", Body=b"sound", ChecksumSHA256=checksum
    )
    assert stored.get("ChecksumSHA256") == (checksum if local.fixed else None)


def test_a_queue_that_demands_tls_takes_messages_over_loopback(local):
    url, arn = local.queue()
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:*",
        "Resource": arn,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    local.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    code = refused(local.client("sqs").send_message, QueueUrl=url, MessageBody="x")
    assert code == (None if local.fixed else "AccessDenied")
