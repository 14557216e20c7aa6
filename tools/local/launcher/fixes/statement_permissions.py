"""PartiQL statements need the permission of what they do, on their own table.

AWS: BatchExecuteStatement is no IAM action; each statement needs dynamodb:PartiQLInsert, PartiQLUpdate, PartiQLDelete
or PartiQLSelect on the table it names.
Stock: asks for dynamodb:BatchExecuteStatement on every resource, and lets whoever has that do anything.
Matters: jobs are claimed and settled by batches of statements, and roles hold exactly what AWS wants for them.
"""

import json
from typing import Any

from tools.local.launcher.anchors import expect_function
from tools.local.launcher.upstream import iam_actions

OPERATIONS = {"dynamodb:ExecuteStatement", "dynamodb:BatchExecuteStatement"}


def apply() -> None:
    """Check each statement, as stock checks each item of a transaction."""
    checks = expect_function(iam_actions, "dynamodb_transaction_checks", "iam_action", "body", "region", "account_id")
    table_arn = expect_function(iam_actions, "_dynamodb_table_arn", "table", "region", "account_id")

    def checks_of_statements(iam_action: str, body: bytes, region: str, account_id: str) -> Any:
        if iam_action not in OPERATIONS:
            return checks(iam_action, body, region, account_id)
        return [(action, table_arn(table, region, account_id)) for action, table in _needed(body)]

    iam_actions.dynamodb_transaction_checks = checks_of_statements


def _needed(body: bytes) -> list[tuple[str, str]]:
    given = json.loads(body)
    statements = [one["Statement"] for one in given.get("Statements", [given])]
    return [(f"dynamodb:PartiQL{text.split(maxsplit=1)[0].capitalize()}", text.split('"')[1]) for text in statements]
