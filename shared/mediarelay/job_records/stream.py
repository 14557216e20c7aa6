"""What DynamoDB Streams deliver: records read as our contracts, and a checkpoint that is never passed over."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.base import FailureResponse, SuccessResponse
from pydantic import ValidationError

from mediarelay.aws.stores import from_item
from mediarelay.job_records.contract import JobRecord

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
    except ValidationError as error:
        unknown = {each["loc"][1] for each in error.errors() if each["loc"][:1] == ("attempts",) and each["loc"][1:]}
        if not unknown:
            raise
        # A later version wrote it, and was taken back. The end of a job is told and counted without what can't be read;
        # waiting for it would hold up all that settled since.
        facts = {"request_id": item.get("request_id"), "attempts": sorted(unknown)}
        logger.error("attempts left out that can't be read", extra=facts)  # noqa: TRY400 # no trace: it has the values
        kept = [each for number, each in enumerate(item["attempts"]) if number not in unknown]
        return JobRecord.model_validate({**item, "attempts": kept})
