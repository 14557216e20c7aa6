"""The record a stream mapping sends to its failure destination: where the batch is, not what is in it. Pure."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"
SHARD = "shardId-00000000000000000000-00000000"


@dataclass(frozen=True)
class GivenUp:
    """Stream records that will not be tried again, the condition that ended it, and how often they were tried."""

    batch: list[dict[str, Any]]
    stream_arn: str
    function_arn: str
    condition: str
    invocations: int

    def record(self, now: float) -> dict[str, Any]:
        """The destination record; `now` in seconds since the epoch."""
        record: dict[str, Any] = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": self.function_arn,
                "condition": self.condition,
                "approximateInvokeCount": self.invocations,
            },
            "version": "1.0",
            "timestamp": _iso(now),
            "DDBStreamBatchInfo": self._batch_info(),
        }
        if self.invocations:
            response = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
            record["responseContext"] = response
        return record

    def _batch_info(self) -> dict[str, Any]:
        first, last = self.batch[0]["dynamodb"], self.batch[-1]["dynamodb"]
        return {
            "shardId": SHARD,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": _iso(first["ApproximateCreationDateTime"]),
            "approximateArrivalOfLastRecord": _iso(last["ApproximateCreationDateTime"]),
            "batchSize": len(self.batch),
            "streamArn": self.stream_arn,
        }


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(float(seconds), tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
