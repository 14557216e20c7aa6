import json
import time

import pytest

from tools.localaws.tests.server import never, until

pytestmark = pytest.mark.stack

PROLOGUE = """
def keys(event):
    return [record["dynamodb"]["Keys"]["pk"]["S"] for record in event["Records"]]

"""
REPORTS_BAD_ONCE = (
    PROLOGUE
    + """
seen = set()

def handler(event, context):
    note(keys=keys(event))
    failed = [r["dynamodb"]["SequenceNumber"] for r in event["Records"] if r["dynamodb"]["Keys"]["pk"]["S"] == "bad"]
    fresh = [number for number in failed if number not in seen]
    seen.update(failed)
    return {"batchItemFailures": [{"itemIdentifier": number} for number in fresh]}
"""
)
RAISES_ON_BAD = (
    PROLOGUE
    + """
def handler(event, context):
    note(keys=keys(event))
    if "bad" in keys(event):
        raise ValueError("bad")
"""
)
NOTES = PROLOGUE + "def handler(event, context): note(keys=keys(event))\n"
HOLDS = PROLOGUE + "def handler(event, context):\n    note(keys=keys(event))\n    hold()\n"


def destination(arn):
    return {"OnFailure": {"Destination": arn}}


def test_a_reported_failure_is_retried_from_its_record_on(local):
    function = local.function(REPORTS_BAD_ONCE)
    table, stream = local.table()
    local.put(table, "a", "bad", "c")
    local.map(function, stream, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"])
    until(lambda: function.noted("keys"))
    if local.fixed:
        until(lambda: len(function.noted("keys")) == 2)
        assert function.noted("keys") == [["a", "bad", "c"], ["bad", "c"]]
    else:
        local.put(table, "next")
        until(lambda: len(function.noted("keys")) == 2)
        assert function.noted("keys") == [["a", "bad", "c"], ["next"]]


def test_retries_end_and_the_batch_goes_to_the_destination(local):
    function = local.function(RAISES_ON_BAD)
    table, stream = local.table()
    url, arn = local.queue("failures")
    local.put(table, "bad")
    local.map(function, stream, BatchSize=1, MaximumRetryAttempts=1, DestinationConfig=destination(arn))
    local.put(table, "good")
    if not local.fixed:
        # Stock tries the first record for ever.
        until(lambda: len(function.noted("keys")) == 4)
        assert ["good"] not in function.noted("keys")
        return
    until(lambda: ["good"] in function.noted("keys"))
    assert function.noted("keys") == [["bad"], ["bad"], ["good"]]
    record = json.loads(until(lambda: local.received(url))[0]["Body"])
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestContext"]["functionArn"].endswith(function.name)
    assert record["DDBStreamBatchInfo"]["batchSize"] == 1
    assert record["DDBStreamBatchInfo"]["streamArn"] == stream


def test_a_failing_batch_is_split_until_the_bad_record_is_alone(local):
    function = local.function(RAISES_ON_BAD)
    table, stream = local.table()
    url, arn = local.queue("failures")
    local.put(table, "a", "b", "bad", "d")
    local.map(
        function,
        stream,
        BatchSize=10,
        MaximumRetryAttempts=0,
        BisectBatchOnFunctionError=True,
        DestinationConfig=destination(arn),
    )
    if not local.fixed:
        until(lambda: len(function.noted("keys")) == 2)
        assert function.noted("keys") == [["a", "b", "bad", "d"]] * 2
        return
    until(lambda: ["d"] in function.noted("keys"))
    assert function.noted("keys") == [["a", "b", "bad", "d"], ["a", "b"], ["bad", "d"], ["bad"], ["d"]]
    record = json.loads(until(lambda: local.received(url))[0]["Body"])
    assert record["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_record_that_is_too_old_goes_to_the_destination(local):
    function = local.function(RAISES_ON_BAD)
    table, stream = local.table()
    url, arn = local.queue("failures")
    local.put(table, "bad")
    local.map(function, stream, BatchSize=1, MaximumRecordAgeInSeconds=1, DestinationConfig=destination(arn))
    record = json.loads(until(lambda: local.received(url))[0]["Body"])
    assert record["requestContext"]["condition"] == ("RecordAgeExceeded" if local.fixed else "MaxRecordAgeExceeded")


def test_a_window_gathers_records(local):
    # Stock delivers at once, and must be seen to do so on a slow machine too.
    window = 1 if local.fixed else 10
    function = local.function(NOTES)
    # Warm, so that stock's invocation comes at once.
    function.invoke({"Records": []})
    table, stream = local.table()
    local.map(function, stream, BatchSize=10, MaximumBatchingWindowInSeconds=window)
    started = time.time()
    local.put(table, "a", "b", "c")
    batches = until(lambda: function.noted("keys")[1:])
    waited = function.noted("at")[1] - started
    assert (waited >= window) is local.fixed
    if local.fixed:
        assert batches == [["a", "b", "c"]]


def test_a_slow_function_holds_up_neither_queues_nor_other_streams(local):
    slow = local.function(HOLDS, suffix="slow")
    other = local.function(NOTES, suffix="other")
    queued = local.function("def handler(event, context): note(message=True)\n", suffix="queued")
    table, stream = local.table()
    other_table, other_stream = local.table("other-table")
    url, arn = local.queue()
    local.map(queued, arn, BatchSize=1)
    local.map(other, other_stream, BatchSize=1)
    local.map(slow, stream, BatchSize=1)
    local.put(table, "slow")
    until(lambda: slow.noted("keys"))
    local.send(url, "x")
    local.put(other_table, "y")
    if local.fixed:
        until(lambda: queued.notes() and other.notes())
    else:
        assert never(lambda: queued.notes() or other.notes(), 1)
    slow.release()
    until(lambda: queued.notes() and other.notes())


def test_a_throttled_batch_is_neither_lost_nor_counted_as_a_retry(local):
    function = local.function(HOLDS)
    url, arn = local.queue("failures")
    table, stream = local.table()
    client = local.client("lambda")
    client.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=1)
    client.invoke(FunctionName=function.name, InvocationType="Event", Payload='{"Records": []}')
    until(function.notes)
    local.put(table, "a")
    mapping = local.map(function, stream, BatchSize=1, MaximumRetryAttempts=0, DestinationConfig=destination(arn))
    assert never(lambda: len(function.notes()) > 1, 0.7)
    function.release()
    until(lambda: ["a"] in function.noted("keys"))
    assert not local.received(url)
    assert client.get_event_source_mapping(UUID=mapping)["State"] == "Enabled"
