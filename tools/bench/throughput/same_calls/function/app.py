"""The reference: the calls of a batch of requests, as few as they can be, and nothing around them.

One batch of conditional inserts, a provider call and an upload a message, one batch of conditional updates, one item of
metrics.
"""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import urllib3
from botocore.config import Config

TABLE, BUCKET, PROVIDER = os.environ["TABLE"], os.environ["BUCKET"], os.environ["PROVIDER_URL"]
CONFIG = Config(max_pool_connections=20)
CLAIM = f"""INSERT INTO "{TABLE}" VALUE {{'id': ?, 'claim': ?}}"""
SETTLE = f"""UPDATE "{TABLE}" SET "outcome"=? WHERE "id"=? AND "claim"=?"""  # noqa: S608 # a table's name

dynamodb, s3 = boto3.client("dynamodb", config=CONFIG), boto3.client("s3", config=CONFIG)
http = urllib3.PoolManager(maxsize=20)
threads = ThreadPoolExecutor(max_workers=10)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Every message is done."""
    names = [json.loads(record["body"])["request_id"] for record in event["Records"]]
    write([statement(CLAIM, name, "x" * 200) for name in names])
    list(threads.map(serve, names))
    write([statement(SETTLE, "y" * 500, name, "x" * 200) for name in names])
    item = {"id": {"S": event["Records"][0]["messageId"]}, "attempts": {"S": "x" * 1500}}
    dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": item}}]})
    return {"batchItemFailures": []}


def serve(name: str) -> None:
    """Call and store."""
    speech = http.request("POST", f"{PROVIDER}/v1/audio/speech", json={"input": name}).data
    s3.put_object(Bucket=BUCKET, Key=name, Body=speech)


def statement(text: str, *values: str) -> Any:
    """With its parameters."""
    return {"Statement": text, "Parameters": [{"S": value} for value in values]}


def write(statements: list[Any]) -> None:
    """One batch, in which nothing may fail."""
    answers = dynamodb.batch_execute_statement(Statements=statements)["Responses"]
    if failures := [answer["Error"] for answer in answers if "Error" in answer]:
        raise RuntimeError(failures)
