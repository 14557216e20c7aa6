import json

import boto3
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.stack

UPDATE = 'UPDATE "{table}" SET "status"=? REMOVE "lease" WHERE "pk"=? AND "claim"=?'


@pytest.fixture
def table(local):
    return local.table()[0]


def insert(table: str, key: str, claim: str) -> dict:
    values = [{"S": key}, {"S": claim}, {"N": "1"}]
    return {"Statement": f"INSERT INTO \"{table}\" VALUE {{'pk': ?, 'claim': ?, 'lease': ?}}", "Parameters": values}


def update(table: str, key: str, claim: str) -> dict:
    return {
        "Statement": UPDATE.format(table=table),
        "Parameters": [{"S": "done"}, {"S": key}, {"S": claim}],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def test_each_statement_of_a_batch_is_conditional_by_itself_in_stock_too(local, table):
    run = local.client("dynamodb").batch_execute_statement
    run(Statements=[insert(table, "a", "mine")])
    inserted = run(Statements=[insert(table, "a", "theirs"), insert(table, "b", "theirs")])["Responses"]
    assert [one.get("Error", {}).get("Code") for one in inserted] == ["DuplicateItem", None]
    statements = [update(table, key, claim) for key, claim in (("a", "mine"), ("b", "mine"), ("c", "mine"))]
    updated = [one.get("Error", {}) for one in run(Statements=statements)["Responses"]]
    assert [error.get("Code") for error in updated] == [None, "ConditionalCheckFailed", "ConditionalCheckFailed"]
    assert updated[1]["Item"]["claim"] == {"S": "theirs"}
    assert "Item" not in updated[2]
    items = local.client("dynamodb").scan(TableName=table)["Items"]
    done = {"pk": {"S": "a"}, "claim": {"S": "mine"}, "status": {"S": "done"}}
    assert sorted(items, key=lambda item: item["pk"]["S"]) == [
        done,
        {"pk": {"S": "b"}, "claim": {"S": "theirs"}, "lease": {"N": "1"}},
    ]


def test_a_statement_needs_the_permission_of_what_it_does(local, table):
    grant = {"Action": "dynamodb:PartiQLInsert", "Resource": f"arn:aws:dynamodb:*:*:table/{table}"}
    client = _with_role(local, "dynamodb", grant)
    assert _refused(client, insert(table, "a", "mine")) is not local.fixed
    assert _refused(client, update(table, "a", "mine"))
    assert _refused(client, insert("another", "a", "mine"))


def test_publishing_a_batch_needs_the_permission_to_publish(local):
    topic = local.client("sns").create_topic(Name=local.name)["TopicArn"]
    client = _with_role(local, "sns", {"Action": "sns:Publish", "Resource": topic})
    batch = {"TopicArn": topic, "PublishBatchRequestEntries": [{"Id": "0", "Message": "x"}]}
    if local.fixed:
        assert [one["Id"] for one in client.publish_batch(**batch)["Successful"]] == ["0"]
    else:
        with pytest.raises(ClientError, match="AuthorizationError"):
            client.publish_batch(**batch)


def test_deleting_a_batch_of_messages_needs_the_permission_to_delete_one(local):
    sqs = local.client("sqs")
    url = sqs.create_queue(QueueName=local.name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.send_message(QueueUrl=url, MessageBody="x")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    client = _with_role(local, "sqs", {"Action": "sqs:DeleteMessage", "Resource": arn})
    batch = {"QueueUrl": url, "Entries": [{"Id": "0", "ReceiptHandle": message["ReceiptHandle"]}]}
    if local.fixed:
        assert [one["Id"] for one in client.delete_message_batch(**batch)["Successful"]] == ["0"]
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_message_batch(**batch)


def _refused(client, statement) -> bool:
    try:
        client.batch_execute_statement(Statements=[statement])
    except ClientError as error:
        return error.response["Error"]["Code"].startswith("AccessDenied")
    return False


def _with_role(local, service, grant):
    iam, name = local.client("iam"), f"{local.name}-role"
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=_document({"Effect": "Allow", **grant}))
    taken = local.client("sts").assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="statements")["Credentials"]
    return boto3.client(
        service,
        endpoint_url=local.client(service).meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=taken["AccessKeyId"],
        aws_secret_access_key=taken["SecretAccessKey"],
        aws_session_token=taken["SessionToken"],
    )


def _document(statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
