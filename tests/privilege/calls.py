"""Every AWS call that runs through botocore while a function works, as the IAM permission that it needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import botocore.client
import botocore.session
import pytest
from requests import PreparedRequest

from tests.harness.function_events import REPLIES
from tests.harness.local_aws import BUCKET, JOBS, TELEMETRY, USAGE

Permission = tuple[str, str]  # the IAM action, the logical id of its resource in the template

# Where IAM's name is not the operation's.
ACTIONS = {
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sns:PublishBatch": "sns:Publish",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "stepfunctions:StartExecution": "states:StartExecution",
    "stepfunctions:DescribeExecution": "states:DescribeExecution",
    "stepfunctions:StopExecution": "states:StopExecution",
    "stepfunctions:SendTaskSuccess": "states:SendTaskSuccess",
}
# The parameter that names the resource, by service; the table, bucket, queue or topic of the test by logical id.
NAMING = {
    "dynamodb": "TableName",
    "s3": "Bucket",
    "sqs": "QueueUrl",
    "sns": "TopicArn",
    "secretsmanager": "SecretId",
    "ssm": "Name",
    "stepfunctions": "stateMachineArn",
}
LOGICAL = {
    JOBS: "JobsTable",
    TELEMETRY: "TelemetryTable",
    USAGE: "UsageTable",
    BUCKET: "ResultsBucket",
    "requests": "RequestQueue",
    "pictures": "PictureQueue",
    "requests-dlq": "RequestDlq",
    "lost-requests": "LostRequestQueue",
    "results": "MediaResultsTopic",
    "alerts": "ProviderAlertsTopic",
    "keys": "KeysSecretName",
    "budgets": "BudgetsParameter",
    "api-tokens": "ApiTokensSecretName",
    "callbacks": "CallbackQueue",
    "callback-secrets": "CallbackSecretsName",
    "media-bus": "EventBus",
    "chat-alerts": "ChatAlertsTopic",
    "pager": "PagerSecretName",
    "events": "EventsQueue",
    "events-dlq": "EventsDlq",
    "media-job": "MediaJobStateMachine",
    "long-speech": "LongSpeechStateMachine",
    REPLIES: "-reply-*",
}


_SERVICE = re.compile(r"^AWS4-HMAC-SHA256 Credential=[^/]+/[0-9]+/[^/]+/([^/]+)/aws4_request,")

# Whether the test itself is at work; threads of a function start without it.
_preparing: ContextVar[bool] = ContextVar("preparing", default=False)


@contextmanager
def by_the_test() -> Iterator[None]:
    """What is called in this block prepares the account, and needs no permission."""
    token = _preparing.set(True)
    try:
        yield
    finally:
        _preparing.reset(token)


@contextmanager
def recorded() -> Iterator[set[Permission]]:
    """The permissions needed by all that is called until the block ends."""
    needed: set[Permission] = set()
    call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def watched(client: Any, operation: str, parameters: Mapping[str, Any]) -> Any:
        service = client.meta.service_model.service_name
        action = f"{service}:{operation}"
        if _preparing.get():
            return call(client, operation, parameters)
        if "Statements" in parameters:
            needed.update(of_statement(one["Statement"]) for one in parameters["Statements"])
        elif "TransactItems" in parameters:
            needed.update(of_write(*each) for one in parameters["TransactItems"] for each in one.items())
        else:
            needed.update((ACTIONS.get(action, action), LOGICAL[name]) for name in resources(service, parameters))
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", watched)
        yield needed


def signed(requests: Iterable[PreparedRequest]) -> set[Permission]:
    """What requests to AWS's own services need that a function signed by itself, without a client of botocore's."""
    return {
        (f"{found[1]}:{_operation(found[1], request)}", "*")
        for request in requests
        if (found := _SERVICE.search(str(request.headers.get("authorization", ""))))
    }


def _operation(service: str, request: PreparedRequest) -> str:
    model = botocore.session.get_session().get_service_model(service)
    asked = {"method": request.method, "requestUri": urlsplit(str(request.url)).path}
    (name,) = [name for name in model.operation_names if model.operation_model(name).http.items() >= asked.items()]
    return str(name)


def of_statement(statement: str) -> Permission:
    """What one PartiQL statement needs, such as `INSERT INTO "jobs" …`."""
    verb, table = statement.split(maxsplit=1)[0], statement.split('"')[1]
    return f"dynamodb:PartiQL{verb.capitalize()}", LOGICAL[table]


def of_write(kind: str, write: Mapping[str, Any]) -> Permission:
    """What one write of a transaction needs: as if it were made alone."""
    return f"dynamodb:{kind}Item", LOGICAL[write["TableName"]]


def resources(service: str, parameters: Mapping[str, Any]) -> list[str]:
    """The names of what a call is about."""
    if "RequestItems" in parameters:
        return list(parameters["RequestItems"])
    if service == "events":
        return [entry["EventBusName"].rpartition("/")[2] for entry in parameters["Entries"]]
    if "taskToken" in parameters:
        return ["media-job"]  # a token is of the one machine there is
    if "executionArn" in parameters:
        return [str(parameters["executionArn"]).split(":")[-2]]
    return [str(parameters[NAMING[service]]).rpartition("/")[2].rpartition(":")[2]]
