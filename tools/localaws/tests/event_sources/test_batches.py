import pytest

from tools.localaws.fixes.event_sources.batch_response import failed_identifiers
from tools.localaws.fixes.event_sources.queue_window import batch_limit, seconds_to_wait
from tools.localaws.fixes.streams.failure_record import GivenUp

BATCH = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, {"b"}),
        ({"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "nobody"}]}, set(BATCH)),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, set(BATCH)),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, set(BATCH)),
        ({"batchItemFailures": [{"wrongKey": "b"}]}, set(BATCH)),
        ({"batchItemFailures": ["b"]}, set(BATCH)),
        ("done", set(BATCH)),
    ],
)
def test_an_answer_fails_what_it_names_and_everything_when_it_cannot_be_read(answer, failed):
    assert failed_identifiers(answer, BATCH) == failed


@pytest.mark.parametrize(
    ("size", "window", "fifo", "limit"),
    [(10, 0, False, 10), (500, 0, False, 10), (500, 1, False, 500), (5, 1, False, 5), (500, 1, True, 10)],
)
def test_a_batch_exceeds_ten_only_with_a_window(size, window, fifo, limit):
    assert batch_limit(size, window=window, fifo=fifo) == limit


@pytest.mark.parametrize(
    ("since", "wait"),
    [([], 0), ([98], 3), ([98, 99], 3), ([90, 99], 0), ([99] * 4, 0)],
)
def test_messages_wait_until_the_batch_is_full_or_the_oldest_has_waited_the_window(since, wait):
    assert seconds_to_wait(since, limit=4, window=5, now=100) == wait


def test_a_failure_record_tells_where_the_batch_is():
    batch = [
        {"dynamodb": {"SequenceNumber": "1", "ApproximateCreationDateTime": 1_700_000_000}},
        {"dynamodb": {"SequenceNumber": "2", "ApproximateCreationDateTime": 1_700_000_001}},
    ]
    record = GivenUp(batch, "arn:stream", "arn:function", "RetryAttemptsExhausted", 3).record(1_700_000_002.5)
    assert record["timestamp"] == "2023-11-14T22:13:22.500Z"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["DDBStreamBatchInfo"] == {
        "shardId": "shardId-00000000000000000000-00000000",
        "startSequenceNumber": "1",
        "endSequenceNumber": "2",
        "approximateArrivalOfFirstRecord": "2023-11-14T22:13:20.000Z",
        "approximateArrivalOfLastRecord": "2023-11-14T22:13:21.000Z",
        "batchSize": 2,
        "streamArn": "arn:stream",
    }


def test_records_that_were_never_tried_have_no_response():
    batch = [{"dynamodb": {"SequenceNumber": "1", "ApproximateCreationDateTime": 0}}]
    assert "responseContext" not in GivenUp(batch, "s", "f", "RecordAgeExceeded", 0).record(0)
