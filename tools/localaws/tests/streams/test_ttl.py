import time

import pytest

from tools.localaws.tests.server import EXPIRING_TABLE, seed_expiring_item, until

pytestmark = pytest.mark.stack

SIX_YEARS_SECONDS = 6 * 365 * 24 * 3600
STOCK_SWEEP_SECONDS = 90
NOTES = """
def handler(event, context):
    for record in event["Records"]:
        note(name=record["eventName"], who=record.get("userIdentity"), old=record["dynamodb"].get("OldImage"))
"""


def items(local) -> list:
    found = local.client("dynamodb").scan(TableName=EXPIRING_TABLE)["Items"]
    return sorted(item["pk"]["S"] for item in found)


def stream(local) -> str:
    return local.client("dynamodb").describe_table(TableName=EXPIRING_TABLE)["Table"]["LatestStreamArn"]


def test_an_expired_item_leaves_a_record_signed_by_the_service(local):
    if local.fixed:
        seed_expiring_item(local.server)
        ancient = {"pk": {"S": "ancient"}, "expires": {"N": str(int(time.time()) - SIX_YEARS_SECONDS)}}
        local.client("dynamodb").put_item(TableName=EXPIRING_TABLE, Item=ancient)
    until(lambda: "old" not in items(local), STOCK_SWEEP_SECONDS)
    function = local.function(NOTES)
    local.map(function, stream(local), BatchSize=10)
    until(lambda: "INSERT" in function.noted("name"))
    removed = [note for note in function.notes() if note["name"] == "REMOVE"]
    if local.fixed:
        assert [note["who"] for note in removed] == [{"type": "Service", "principalId": "dynamodb.amazonaws.com"}]
        assert removed[0]["old"]["pk"] == {"S": "old"}
        assert items(local) == ["ancient"]
    else:
        assert removed == []
