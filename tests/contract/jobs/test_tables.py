"""What money rests on, of the tables themselves: moto, the local AWS and DynamoDB Local answer as AWS's pages say."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.harness.local_aws import JOBS, LocalAws

ITEM_BYTES = 400 * 1024
KEY = {"request_id": {"S": "one"}}


@pytest.fixture
def table(aws: LocalAws) -> Any:
    """With one item, whose `v` is 1."""
    aws.dynamodb.put_item(TableName=JOBS, Item={**KEY, "v": {"N": "1"}})
    return aws.dynamodb


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def added(table: Any, old: str, new: str, **more: Any) -> Any:
    return table.update_item(
        TableName=JOBS,
        Key=KEY,
        UpdateExpression="SET v = :new",
        ConditionExpression="v = :old",
        ExpressionAttributeValues={":old": {"N": old}, ":new": {"N": new}},
        **more,
    )


def standing(table: Any, name: str = "one") -> Any:
    return table.get_item(TableName=JOBS, Key={"request_id": {"S": name}}, ConsistentRead=True).get("Item")


def test_a_condition_that_fails_changes_nothing_and_tells_what_stands(table: Any) -> None:
    """API reference, UpdateItem: ReturnValuesOnConditionCheckFailure."""
    with pytest.raises(ClientError) as refused:
        added(table, "2", "3", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert code(refused) == "ConditionalCheckFailedException"
    assert refused.value.response["Item"] == {**KEY, "v": {"N": "1"}}  # type: ignore[typeddict-item]  # not in the stubs
    assert standing(table) == {**KEY, "v": {"N": "1"}}


def test_a_condition_that_holds_is_met_once(table: Any) -> None:
    added(table, "1", "2")
    with pytest.raises(ClientError):
        added(table, "1", "2")


def test_an_item_holds_so_much_and_no_more(table: Any) -> None:
    """Developer guide, quotas: 400 KB, names and values together. moto refuses from 405,000 bytes on."""
    around = len("request_id") + len("large") + len("v")
    table.put_item(TableName=JOBS, Item={"request_id": {"S": "large"}, "v": {"S": "x" * (400_000 - around)}})
    with pytest.raises(ClientError) as refused:
        table.put_item(TableName=JOBS, Item={"request_id": {"S": "large"}, "v": {"S": "x" * (ITEM_BYTES + 1 - around)}})
    assert code(refused) == "ValidationException"


def test_each_statement_of_a_batch_stands_by_itself(table: Any) -> None:
    """API reference, BatchStatementError: the codes of an item that exists and of a condition that fails."""
    insert = f"INSERT INTO \"{JOBS}\" VALUE {{'request_id': ?, 'v': ?}}"
    update = f'UPDATE "{JOBS}" SET "v"=? WHERE "request_id"=? AND "v"=?'  # noqa: S608 # the name is ours
    table.put_item(TableName=JOBS, Item={"request_id": {"S": "other"}, "v": {"N": "1"}})
    answer = table.batch_execute_statement(
        Statements=[
            {"Statement": insert, "Parameters": [{"S": "one"}, {"N": "9"}]},
            {"Statement": insert, "Parameters": [{"S": "new"}, {"N": "5"}]},
            {"Statement": update, "Parameters": [{"N": "3"}, {"S": "other"}, {"N": "2"}]},
            {"Statement": update, "Parameters": [{"N": "3"}, {"S": "nobody"}, {"N": "2"}]},
        ]
    )
    codes = [each.get("Error", {}).get("Code") for each in answer["Responses"]]
    assert codes == ["DuplicateItem", None, "ConditionalCheckFailed", "ConditionalCheckFailed"]
    assert [standing(table, name) and standing(table, name)["v"]["N"] for name in ("one", "new", "other")] == [
        *("1", "5", "1")
    ]
    assert standing(table, "nobody") is None


def transaction(table: Any, *names: str) -> None:
    expression = {"UpdateExpression": "SET v = :v", "ConditionExpression": "attribute_exists(v)"}
    written = {"ExpressionAttributeValues": {":v": {"N": "7"}}, "TableName": JOBS, **expression}
    table.transact_write_items(TransactItems=[{"Update": {"Key": {"request_id": {"S": n}}, **written}} for n in names])


def test_a_transaction_is_all_or_nothing_and_says_which_of_it_failed(table: Any) -> None:
    """API reference, TransactWriteItems: CancellationReasons, in the order of the items."""
    with pytest.raises(ClientError) as refused:
        transaction(table, "one", "nobody")
    assert code(refused) == "TransactionCanceledException"
    reasons: Any = refused.value.response.get("CancellationReasons")
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert standing(table)["v"] == {"N": "1"}
    transaction(table, "one")
    assert standing(table)["v"] == {"N": "7"}


def test_a_transaction_has_an_item_once(table: Any) -> None:
    """API reference, TransactWriteItems: two actions on one item are a ValidationException."""
    with pytest.raises(ClientError) as refused:
        transaction(table, "one", "one")
    assert code(refused) == "ValidationException"
