import time

import pytest

from tools.localaws.tests.server import until

pytestmark = pytest.mark.stack

NOTES = """
def handler(event, context):
    note(bodies=[record["body"] for record in event["Records"]])
"""
HOLDS = NOTES + "    hold()\n"
RAISES_ON_BAD = NOTES + "    if event['Records'][0]['body'] == 'bad': raise ValueError('bad')\n"
REPORTS_NONSENSE = NOTES + "    return {'batchItemFailures': [{'itemIdentifier': 'no-message-of-this-batch'}]}\n"
# How long stock leaves a source alone after an error.
STOCK_PAUSE_SECONDS = 1.0


def in_flight(local, url) -> int:
    name = "ApproximateNumberOfMessagesNotVisible"
    return int(local.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])


def test_a_batch_may_exceed_ten_when_there_is_a_window(local):
    function = local.function(NOTES)
    url, arn = local.queue()
    local.send(url, *[str(number) for number in range(25)])
    local.map(function, arn, BatchSize=25, MaximumBatchingWindowInSeconds=1)
    until(lambda: sum(len(bodies) for bodies in function.noted("bodies")) == 25)
    assert max(len(bodies) for bodies in function.noted("bodies")) == (25 if local.fixed else 10)


def test_a_window_gathers_messages(local):
    # Stock delivers at once, and must be seen to do so on a slow machine too.
    window = 1 if local.fixed else 10
    function = local.function(NOTES)
    function.invoke({"Records": []})
    url, arn = local.queue()
    local.map(function, arn, BatchSize=10, MaximumBatchingWindowInSeconds=window)
    started = time.time()
    local.send(url, "a", "b", "c")
    bodies = until(lambda: function.noted("bodies")[1:])
    waited = function.noted("at")[1] - started
    assert (waited >= window) is local.fixed
    if local.fixed:
        assert bodies == [["a", "b", "c"]]


def test_batches_of_one_source_run_side_by_side_up_to_the_maximum_in_stock_too(local):
    function = local.function(HOLDS)
    url, arn = local.queue()
    local.map(function, arn, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    local.send(url, "a", "b", "c")
    until(lambda: len(function.notes()) == 2)
    # The third is not even received while two run.
    assert in_flight(local, url) == 2
    function.release()
    until(lambda: len(function.notes()) == 3)


def test_a_failing_batch_does_not_pause_its_source(local):
    function = local.function(RAISES_ON_BAD)
    url, arn = local.queue()
    mapping = local.map(function, arn, BatchSize=1)
    local.send(url, "warm")
    until(lambda: function.noted("bodies"))
    pauses = []
    # On a busy machine a single round may be slow for other reasons.
    for _ in range(10 if local.fixed else 2):
        bad, good = fail_and_succeed(local, function, url, mapping)
        pauses.append(good - bad)
        if pauses[-1] < STOCK_PAUSE_SECONDS:
            break
    assert (min(pauses) < STOCK_PAUSE_SECONDS) is local.fixed


def fail_and_succeed(local, function, url, mapping) -> tuple[float, float]:
    """When the function got a message it fails on, and when the one sent after that failure."""
    before = len(function.notes())
    local.send(url, "bad")
    until(lambda: len(function.notes()) == before + 1)
    until(lambda: last_result(local, mapping) == "FAILED")
    local.send(url, "good")
    until(lambda: len(function.notes()) == before + 2)
    until(lambda: last_result(local, mapping) != "FAILED")
    return tuple(function.noted("at")[-2:])


def last_result(local, mapping) -> str:
    return local.client("lambda").get_event_source_mapping(UUID=mapping)["LastProcessingResult"]


def test_a_failed_batch_stays_in_the_queue_in_stock_too(local):
    function = local.function(RAISES_ON_BAD)
    url, arn = local.queue(VisibilityTimeout="2")
    local.map(function, arn, BatchSize=1)
    local.send(url, "bad")
    until(lambda: len(function.noted("bodies")) == 2)
    assert function.noted("bodies") == [["bad"], ["bad"]]


def test_an_answer_that_names_an_unknown_message_loses_none(local):
    function = local.function(REPORTS_NONSENSE)
    url, arn = local.queue()
    mapping = local.map(function, arn, BatchSize=1, FunctionResponseTypes=["ReportBatchItemFailures"])
    local.send(url, "x")
    until(lambda: not last_result(local, mapping).startswith("No records"))
    assert in_flight(local, url) == (1 if local.fixed else 0)


def test_a_throttled_batch_is_invoked_once_there_is_room(local):
    function = local.function(HOLDS)
    url, arn = local.queue(VisibilityTimeout="20")
    client = local.client("lambda")
    client.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=1)
    client.invoke(FunctionName=function.name, InvocationType="Event", Payload='{"Records": []}')
    until(function.notes)
    mapping = local.map(function, arn, BatchSize=1)
    local.send(url, "x")
    until(lambda: in_flight(local, url) == 1)
    if local.fixed:
        function.release()
        until(lambda: ["x"] in function.noted("bodies"))
        until(lambda: in_flight(local, url) == 0)
    else:
        # Stock has given the batch up until its visibility timeout.
        until(lambda: last_result(local, mapping) == "FAILED")
        assert ["x"] not in function.noted("bodies")
