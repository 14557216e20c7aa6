"""Whatever AWS answers, an adapter raises `StoreUnavailable` and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from mediarelay.announce.sns import SnsResults
from mediarelay.dispatch.sqs import SqsRequests
from mediarelay.job_records.claims import Rejection, Settlement
from mediarelay.job_records.contract import JobError, Output
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.keys.secrets_manager import SecretKeys
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.results.s3 import S3Media
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.events import event, metric
from tests.builders.keys import COOLING
from tests.builders.requests import claim, message, tts

# Nobody listens on the discard port of the loopback interface.
NOBODY = "http://127.0.0.1:9"
ERROR = JobError(code="x", message="y", retryable=False)
SETTLEMENT = Settlement("job-1", "claim-1", JobStatus.FAILED, 0, 0, 0)
PICTURE = Output(key="k", content_type="image/png", bytes=1, sha256="00" * 32)

Operation = tuple[str, str, Callable[[Any], object]]
OPERATIONS: list[Operation] = [
    ("dynamodb", "batch_execute_statement", lambda c: DynamoJobs(c, "t").claim(claim())),
    ("dynamodb", "update_item", lambda c: DynamoJobs(c, "t").claim(claim(known=True))),
    ("dynamodb", "batch_execute_statement", lambda c: DynamoJobs(c, "t").settle(SETTLEMENT)),
    ("dynamodb", "update_item", lambda c: DynamoJobs(c, "t").defer("job-1", "claim-1", until=0, attempts=[])),
    ("dynamodb", "update_item", lambda c: DynamoJobs(c, "t").reject(Rejection("job-1", 0, 0, ERROR, 0))),
    ("dynamodb", "get_item", lambda c: DynamoJobs(c, "t").get("job-1")),
    ("dynamodb", "query", lambda c: DynamoKeyStates(c, "t").load("openai")),
    ("dynamodb", "update_item", lambda c: DynamoKeyStates(c, "t").save(COOLING)),
    ("dynamodb", "batch_write_item", lambda c: DynamoMetrics(c, "t").write([metric("fal-flux", 1)])),
    ("s3", "put_object", lambda c: S3Media(c, "bucket").put(PICTURE, io.BytesIO(b"x"), {})),
    ("s3", "list_objects_v2", lambda c: S3Media(c, "bucket").find("tts/")),
    ("sqs", "send_message", lambda c: _queue(c).send_later(message(tts()), delay_seconds=1, attributes={})),
    ("sqs", "send_message", lambda c: _queue(c).park(message(tts()), code="x", reason="y")),
    ("sqs", "send_message", lambda c: _queue(c).give_up(message(tts()), code="x", reason="y")),
    ("sns", "publish_batch", lambda c: SnsResults(c, "arn:aws:sns:eu-central-1:123456789012:t").publish([event()])),
]
each_operation = pytest.mark.parametrize(("service", "method", "operation"), OPERATIONS)


def _queue(client: Any) -> SqsRequests:
    return SqsRequests(
        client, "https://queue.invalid/1/q", "https://queue.invalid/1/dlq", "https://queue.invalid/1/lost"
    )


def _client(service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]  # the name is a variable
        service,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        endpoint_url=NOBODY,
        config=Config(connect_timeout=1, retries={"total_max_attempts": 1}),
    )


@each_operation
def test_a_refusal_of_aws_is_a_store_that_is_away_and_names_its_code(
    service: str, method: str, operation: Callable[[Any], object]
) -> None:
    client = _client(service)
    with Stubber(client) as stubber:
        stubber.add_client_error(method, "ThrottlingException")
        with pytest.raises(StoreUnavailable) as caught:
            operation(client)
    assert caught.value.reason == "ThrottlingException"
    assert isinstance(caught.value.__cause__, ClientError)


@each_operation
def test_an_endpoint_nobody_answers_is_a_store_that_is_away(
    service: str, method: str, operation: Callable[[Any], object]
) -> None:
    del method
    with pytest.raises(StoreUnavailable, match=r"EndpointConnectionError|ConnectionClosed|ConnectTimeout"):
        operation(_client(service))


def test_a_secret_nobody_answers_for_is_a_store_that_is_away() -> None:
    with pytest.raises(StoreUnavailable, match="EndpointConnectionError"):
        SecretKeys(_client("secretsmanager"), "a-secret", fallback={}).load()
