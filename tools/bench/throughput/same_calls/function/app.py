"""The reference: two conditional writes, a provider call and an upload a message; one item of metrics a batch."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import urllib3
from botocore.config import Config

TABLE, BUCKET, PROVIDER = os.environ["TABLE"], os.environ["BUCKET"], os.environ["PROVIDER_URL"]
CONFIG = Config(max_pool_connections=20)

dynamodb, s3 = boto3.client("dynamodb", config=CONFIG), boto3.client("s3", config=CONFIG)
http = urllib3.PoolManager(maxsize=20)
threads = ThreadPoolExecutor(max_workers=10)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Every message is done."""
    list(threads.map(serve, event["Records"]))
    item = {"id": {"S": event["Records"][0]["messageId"]}, "attempts": {"S": "x" * 1500}}
    dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": item}}]})
    return {"batchItemFailures": []}


def serve(record: dict[str, Any]) -> None:
    """Claim, call, store, settle."""
    name = json.loads(record["body"])["request_id"]
    write(name, "attribute_not_exists(id)", "x" * 200)
    speech = http.request("POST", f"{PROVIDER}/v1/audio/speech", json={"input": name}).data
    s3.put_object(Bucket=BUCKET, Key=name, Body=speech)
    write(name, "attribute_exists(id)", "y" * 500)


def write(name: str, condition: str, text: str) -> None:
    """One conditional update."""
    dynamodb.update_item(
        TableName=TABLE,
        Key={"id": {"S": name}},
        UpdateExpression="SET facts = :text",
        ConditionExpression=condition,
        ExpressionAttributeValues={":text": {"S": text}},
    )
