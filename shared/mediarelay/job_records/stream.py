"""What DynamoDB Streams deliver: records read as our contracts, and a checkpoint that is never passed over."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.base import FailureResponse, SuccessResponse

from mediarelay.aws.stores import from_item
from mediarelay.job_records.contract import AttemptSummary, JobRecord

logger = logging.getLogger(__name__)
_EARLIER_FAILED: Final = RuntimeError("an earlier record of the batch failed; this one comes again after it")


class StreamProcessor(BatchProcessor):
    """Powertools' processor, stopping at the first failure.

    A stream goes on from the lowest failed record and delivers everything behind it again, so working on would do that
    work twice. Each failure is logged with its traceback.
    """

    def __init__(self) -> None:
        super().__init__(EventType.DynamoDBStreams, raise_on_entire_batch_failure=False, logger=logger)

    def _process_record(self, record: dict[str, Any]) -> SuccessResponse | FailureResponse:
        if self.fail_messages:
            typed = self._to_batch_type(record, event_type=self.event_type, model=self.model)
            return self.failure_handler(typed, (type(_EARLIER_FAILED), _EARLIER_FAILED, None))
        return super()._process_record(record)


def failed_records(sequence_numbers: Iterable[str]) -> list[dict[str, str]]:
    """Name the records to be delivered again, as Lambda wants them; it goes on from the lowest."""
    return [{"itemIdentifier": number} for number in sequence_numbers]


def job_change(record: Mapping[str, Any]) -> tuple[JobRecord | None, JobRecord | None]:
    """Read a record of the Jobs table's stream. Returns the job before and after; None where there was none.

    Raises:
        pydantic.ValidationError: The item is not a job.
    """
    images = record.get("dynamodb", {})
    return _job(images.get("OldImage")), _job(images.get("NewImage"))


def _job(image: Mapping[str, Any] | None) -> JobRecord | None:
    if not image:
        return None
    item = from_item(image)
    try:
        return JobRecord.model_validate(item)
    except ValueError:
        attempts = item.get("attempts")
        if not isinstance(attempts, list):
            raise
        kept = [each for each in attempts if _readable(each)]
        # Where only attempts can't be read, a later version wrote them, and was taken back: the end of a job is told
        # and counted without them. Waiting for that version would hold up all that settled since.
        record = JobRecord.model_validate({**item, "attempts": kept})
        facts = {"request_id": record.request_id}
        logger.error("attempts left out that can't be read", extra=facts)  # noqa: TRY400 # a trace has the values
        return record


def _readable(attempt: Mapping[str, Any]) -> bool:
    try:
        AttemptSummary.model_validate(attempt)
    except ValueError:
        return False
    return True
