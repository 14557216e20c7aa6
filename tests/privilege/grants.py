"""What each function's role in the template allows, and what AWS itself does with that role."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

from tests.harness.template import as_list, of_type, role_statements
from tests.privilege.calls import Permission

# (action, kind of resource) -> who uses it, though the function's own code never calls it.
USED_BY_AWS = {
    ("sqs:ReceiveMessage", "Queue"): "Lambda polls the source queue with the function's role",
    ("sqs:DeleteMessage", "Queue"): "Lambda deletes what was handled",
    ("sqs:GetQueueAttributes", "Queue"): "Lambda polls the source queue",
    ("sqs:ChangeMessageVisibility", "Queue"): "Lambda returns what failed",
    ("sqs:SendMessage", "AnnounceDlq"): "Lambda parks stream batches that failed",
    ("sqs:SendMessage", "UsageDlq"): "Lambda parks stream batches that failed",
    ("sqs:SendMessage", "AggregateDlq"): "Lambda parks stream batches that failed",
    ("sqs:SendMessage", "AlertDlq"): "Lambda parks stream batches that failed",
    ("sqs:SendMessage", "EndedJobsDlq"): "Lambda parks events that could not be handled",
    ("dynamodb:DescribeStream", "Table"): "Lambda reads the stream with the function's role",
    ("dynamodb:GetRecords", "Table"): "Lambda reads the stream",
    ("dynamodb:GetShardIterator", "Table"): "Lambda reads the stream",
    ("dynamodb:ListStreams", "*"): "Lambda looks for the stream",
    ("kms:Decrypt", "Key"): "SNS encrypts with the topics' key on behalf of the publisher",
    ("kms:GenerateDataKey", "Key"): "SNS encrypts with the topics' key on behalf of the publisher",
    ("logs:CreateLogStream", "Logs"): "the runtime writes the function's log",
    ("logs:PutLogEvents", "Logs"): "the runtime writes the function's log",
    ("xray:PutTraceSegments", "*"): "the runtime sends traces",
    ("xray:PutTelemetryRecords", "*"): "the runtime sends traces",
}
# (function, permission) -> why, where a link carries the right instead of a call.
CARRIED_BY_LINKS = {
    ("AnnounceResultFunction", ("s3:GetObject", "ResultsBucket")): "a presigned link can do what its signer can",
    ("ServeApiFunction", ("s3:GetObject", "ResultsBucket")): "a presigned link can do what its signer can",
    ("WaitForJobFunction", ("s3:GetObject", "ResultsBucket")): "as above",
}


def granted(template: dict[str, Any], function: str, *, without: Collection[str] = frozenset()) -> set[Permission]:
    """Each action with each resource that the function's role names, where the conditions of *without* do not hold."""
    role = of_type(template, "AWS::Serverless::Function")[function]["Role"]["Fn::GetAtt"][0]
    return {
        (action, logical_id(resource))
        for statement in role_statements(template, role, without=without)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def logical_id(resource: Any) -> str:
    """The logical id (or the parameter) that a resource of a policy refers to."""
    match resource:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::Sub": str(text)}:
            names = [name for name in re.findall(r"\$\{([A-Za-z0-9]+)[.}]", text) if name != "AWS"]
            return names[-1] if names else text.rpartition("}")[2]
        case str(text):
            return text
    raise TypeError(json.dumps(resource))


def used_by_aws(function: str, permission: Permission) -> bool:
    """Whether the service around the function needs it."""
    action, resource = permission
    return (function, permission) in CARRIED_BY_LINKS or any(
        action == used and resource.endswith(kind) for used, kind in USED_BY_AWS
    )
