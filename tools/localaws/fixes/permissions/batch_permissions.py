"""Calls that carry several need the permission of each, not one of their own.

AWS: BatchExecuteStatement is no IAM action; each statement needs dynamodb:PartiQLInsert, PartiQLUpdate, PartiQLDelete
or PartiQLSelect on the table it names. Nor is PublishBatch: it needs sns:Publish on its topic. Nor are SQS's batches:
each needs the permission of the single call (SQS guide, "Amazon SQS API permissions: Actions and resource reference").
Stock: asks for dynamodb:BatchExecuteStatement on every resource, for sns:PublishBatch, and for SQS's batches by name.
Matters: jobs are claimed and settled by batches of statements, results are announced and messages deleted in batches,
and roles hold exactly what AWS wants for them.
"""

import json
from typing import Any

from tools.localaws.anchors import expect_function
from tools.localaws.upstream import iam_actions

STATEMENTS = {"dynamodb:ExecuteStatement", "dynamodb:BatchExecuteStatement"}
SAME = {
    "sns:PublishBatch": "sns:Publish",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}


def apply() -> None:
    """Check each statement, as stock checks each item of a transaction; ask for what the single call needs."""
    checks = expect_function(iam_actions, "dynamodb_transaction_checks", "iam_action", "body", "region", "account_id")
    table_arn = expect_function(iam_actions, "_dynamodb_table_arn", "table", "region", "account_id")
    action_of = expect_function(
        iam_actions, "extract_iam_action", "service", "method", "path", "headers", "body", "query_params"
    )

    def checks_of_statements(iam_action: str, body: bytes, region: str, account_id: str) -> Any:
        if iam_action not in STATEMENTS:
            return checks(iam_action, body, region, account_id)
        return [(action, table_arn(table, region, account_id)) for action, table in _needed(body)]

    def action_of_batch(*call: Any) -> Any:
        action = action_of(*call)
        return SAME.get(action, action)

    iam_actions.dynamodb_transaction_checks = checks_of_statements
    iam_actions.extract_iam_action = action_of_batch


def _needed(body: bytes) -> list[tuple[str, str]]:
    given = json.loads(body)
    statements = [one["Statement"] for one in given.get("Statements", [given])]
    return [(f"dynamodb:PartiQL{text.split(maxsplit=1)[0].capitalize()}", text.split('"')[1]) for text in statements]
