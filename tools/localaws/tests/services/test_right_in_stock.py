"""What mediarelay relies on and MiniStack does as AWS does; with the fixes it must stay so."""

import base64
import hashlib
import json

import pytest
from botocore.exceptions import ClientError

from tools.localaws.tests.server import never, policy_for, until

pytestmark = pytest.mark.stack


def sha256(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def test_an_object_that_differs_from_its_checksum_is_refused(local):
    s3, bucket = local.client("s3"), f"{local.name}-bucket"
    s3.create_bucket(Bucket=bucket)
    with pytest.raises(ClientError, match="BadDigest"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"other", ChecksumSHA256=sha256(b"sound"))
    s3.put_object(Bucket=bucket, Key="k", Body=b"sound", ChecksumSHA256=sha256(b"sound"))
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumSHA256"] == sha256(b"sound")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"again", IfNoneMatch="*")


@pytest.mark.parametrize("operation", ["update_item", "put_item", "delete_item", "transact_write_items"])
def test_a_failed_condition_returns_the_item_that_failed_it(local, operation):
    table, _ = local.table()
    local.put(table, "a")
    client = local.client("dynamodb")
    condition = {
        "TableName": table,
        "ConditionExpression": "n < :limit",
        "ExpressionAttributeValues": {":limit": {"N": "1"}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    update = {**condition, "Key": {"pk": {"S": "a"}}, "UpdateExpression": "SET n = :limit"}
    calls = {
        "update_item": update,
        "put_item": {**condition, "Item": {"pk": {"S": "a"}}},
        "delete_item": {**condition, "Key": {"pk": {"S": "a"}}},
        "transact_write_items": {"TransactItems": [{"Update": update}]},
    }
    with pytest.raises(ClientError) as error:
        getattr(client, operation)(**calls[operation])
    answer = error.value.response
    item = answer["CancellationReasons"][0]["Item"] if "CancellationReasons" in answer else answer["Item"]
    assert item == {"pk": {"S": "a"}, "n": {"N": "7"}}


def test_a_message_keeps_its_attributes_and_its_delay(local):
    url, _ = local.queue()
    attributes = {"kind": {"DataType": "String", "StringValue": "tts"}}
    local.client("sqs").send_message(QueueUrl=url, MessageBody="x", DelaySeconds=1, MessageAttributes=attributes)
    assert never(lambda: local.received(url), 0.3)
    message = until(lambda: local.received(url))[0]
    assert message["MessageAttributes"] == attributes
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_raw_subscription_filters_on_attributes_and_keeps_them(local):
    topic = local.client("sns").create_topic(Name=local.name)["TopicArn"]
    url, arn = local.queue(Policy=policy_for(topic))
    wanted = {"status": ["down", "degraded"], "severity": [{"anything-but": "info"}]}
    settings = {"RawMessageDelivery": "true", "FilterPolicy": json.dumps(wanted)}
    local.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=settings)
    for status, severity in (("down", "info"), ("healthy", "critical"), ("down", "critical")):
        attributes = {
            "status": {"DataType": "String", "StringValue": status},
            "severity": {"DataType": "String", "StringValue": severity},
        }
        message = json.dumps({"default": "other", "sqs": f"{status} {severity}"})
        local.client("sns").publish(
            TopicArn=topic, Message=message, MessageStructure="json", MessageAttributes=attributes
        )
    received = until(lambda: local.received(url))
    assert [message["Body"] for message in received] == ["down critical"]
    assert received[0]["MessageAttributes"]["severity"]["StringValue"] == "critical"


def test_a_queue_without_a_policy_gets_nothing_from_a_topic(local):
    topic = local.client("sns").create_topic(Name=local.name)["TopicArn"]
    url, arn = local.queue()
    local.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    local.client("sns").publish(TopicArn=topic, Message="x")
    assert never(lambda: local.received(url), 0.5)
