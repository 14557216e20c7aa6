"""DynamoDB streams reach functions with AWS's promises about failure.

AWS: each mapping reads on its own; a failed batch is retried, from the lowest reported sequence number with
ReportBatchItemFailures; MaximumRetryAttempts, MaximumRecordAgeInSeconds, BisectBatchOnFunctionError, the OnFailure
destination and MaximumBatchingWindowInSeconds are honoured.
Stock: reported failures count as success, so that records are silently lost; retries never end; splitting, window and
destination are ignored; every function runs on the one poll thread, so that a slow one stalls all streams and queues.
Matters: the aggregator and both announcers live on streams.
"""

from tools.localaws.anchors import expect_attributes, expect_function
from tools.localaws.fixes.streams.stream_reader import StreamReader
from tools.localaws.upstream import concurrency, dynamodb, lambda_service, sns, sqs


def apply() -> None:
    """Replace the stream poller."""
    _check_anchors()
    lambda_service._poll_dynamodb_streams = StreamReader().poll


def _check_anchors() -> None:
    expect_function(lambda_service, "_poll_dynamodb_streams")
    expect_function(lambda_service, "_execute_function", "func", "event")
    expect_function(lambda_service, "_apply_filter_criteria", "records", "esm")
    expect_function(lambda_service, "_get_func_record_for_qualifier", "name", "qualifier")
    expect_attributes(lambda_service, "_esms", "_dynamodb_stream_positions", "_dynamodb_stream_positions_lock")
    expect_attributes(dynamodb, "_tables", "stream_start_position", "stream_end_position", "stream_records_since")
    expect_attributes(concurrency, "esm_wake", "spawn_background")
    expect_function(sqs, "_act_send_message", "data", "qurl")
    expect_attributes(sns, "_fanout")
