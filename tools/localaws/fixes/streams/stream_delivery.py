"""One batch of stream records: filter it, drop what is too old, invoke the function, and act on its answer."""

import json
import logging
import time
from dataclasses import dataclass
from typing import Any

from tools.localaws.fixes.event_sources.batch_response import REPORTS, failed_identifiers
from tools.localaws.fixes.streams.failure_destination import send
from tools.localaws.fixes.streams.failure_record import RETRIES_EXHAUSTED, TOO_OLD, GivenUp
from tools.localaws.fixes.streams.stream_mapping import StreamMapping
from tools.localaws.fixes.streams.stream_progress import Progress, RetryPolicy, Step
from tools.localaws.upstream import lambda_service

THROTTLED_RETRY_SECONDS = 0.5

logger = logging.getLogger("mediarelay.launcher")


@dataclass
class Delivery:
    """The batch that starts at `position`, unfiltered."""

    mapping: StreamMapping
    progress: Progress
    position: int
    batch: list[dict[str, Any]]

    @property
    def end(self) -> int:
        """The position just past the batch."""
        return self.position + len(self.batch)

    def run(self) -> None:
        """Bring the batch as far as it goes, and checkpoint."""
        self._drop_aged()
        wanted = lambda_service._apply_filter_criteria(self.batch, self.mapping.settings)
        if not wanted:
            self._take(self.progress.succeeded(self.end))
            return
        result = lambda_service._execute_function(self.mapping.function, {"Records": wanted})
        if result.get("throttle"):
            self._take(Step(self.position, retry_in=THROTTLED_RETRY_SECONDS))
        else:
            self._settle(result, wanted)

    def _policy(self) -> RetryPolicy:
        return RetryPolicy.of(self.mapping.settings)

    def _drop_aged(self) -> None:
        age = self._policy().age
        if age < 0:
            return
        oldest = time.time() - age
        aged = [record for record in self.batch if record["dynamodb"]["ApproximateCreationDateTime"] < oldest]
        if aged:
            self._report(aged, TOO_OLD)
            self.position += len(aged)
            self.batch = self.batch[len(aged) :]
            self.progress.succeeded(self.position)
            self.mapping.move_to(self.position)

    def _settle(self, result: dict[str, Any], wanted: list[dict[str, Any]]) -> None:
        first_failed = self._first_failed(result, wanted)
        self.mapping.settings["LastProcessingResult"] = (
            "OK" if first_failed is None else "PROBLEM: Function call failed"
        )
        if first_failed is None:
            self._take(self.progress.succeeded(self.end))
            return
        logger.warning("stream batch of %s failed: %s", self.mapping.function["config"]["FunctionName"], result["body"])
        step = self.progress.failed(self.position, self.end, first_failed, self._policy())
        if step.given_up is not None:
            self._report(self.batch[step.position - self.position :], RETRIES_EXHAUSTED)
            step = self.progress.succeeded(step.given_up)
        self._take(step)

    def _first_failed(self, result: dict[str, Any], wanted: list[dict[str, Any]]) -> int | None:
        if result.get("error"):
            return self.position
        if REPORTS not in (self.mapping.settings.get("FunctionResponseTypes") or []):
            return None
        failed = failed_identifiers(result.get("body"), [_sequence(record) for record in wanted])
        places = [place for place, record in enumerate(self.batch) if _sequence(record) in failed]
        return self.position + places[0] if places else None

    def _report(self, batch: list[dict[str, Any]], condition: str) -> None:
        function_arn = self.mapping.function["config"]["FunctionArn"]
        given_up = GivenUp(batch, self.mapping.stream_arn, function_arn, condition, self.progress.failures)
        send(self.mapping.settings, json.dumps(given_up.record(time.time())))

    def _take(self, step: Step) -> None:
        self.mapping.move_to(step.position)
        if step.retry_in:
            self.progress.not_before = time.monotonic() + step.retry_in


def _sequence(record: dict[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
