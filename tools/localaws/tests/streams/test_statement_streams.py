import pytest

pytestmark = pytest.mark.stack


def test_what_a_statement_writes_is_in_the_stream(local):
    table, arn = local.table()
    streams, run = local.client("dynamodbstreams"), local.client("dynamodb").batch_execute_statement
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    begin = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    iterator = streams.get_shard_iterator(**begin)["ShardIterator"]
    insert = {"Statement": f"INSERT INTO \"{table}\" VALUE {{'pk': ?}}", "Parameters": [{"S": "a"}]}
    update = {"Statement": f'UPDATE "{table}" SET "n"=? WHERE "pk"=?', "Parameters": [{"N": "1"}, {"S": "a"}]}  # noqa: S608
    for statement in (insert, insert, update):
        run(Statements=[statement])
    records = streams.get_records(ShardIterator=iterator)["Records"]
    told = [(one["eventName"], one["dynamodb"].get("OldImage"), one["dynamodb"]["NewImage"]) for one in records]
    before, after = {"pk": {"S": "a"}}, {"pk": {"S": "a"}, "n": {"N": "1"}}
    assert told == ([("INSERT", None, before), ("MODIFY", before, after)] if local.fixed else [])
