"""State machine -> provider: ask how an accepted job stands."""

from __future__ import annotations

import functools
import time
from typing import Any, Final

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.calling import build_jobs
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import ProviderSettings, inside_lambda
from mediarelay.long_jobs.assembly import LongJobFunctions
from mediarelay.long_jobs.execution_state import ExecutionState

# What the runtime needs to return an answer and the telemetry flush to finish.
RESERVE_SECONDS: Final = 2.5

logger = package_logger()


@functools.cache
def service() -> LongJobFunctions:
    """One per worker, with its key pools and connections."""
    return build_jobs(ProviderSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point: the execution's state in, the execution's state out."""
    ends_at = time.time() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    try:
        return service().poller.poll(ExecutionState.from_state(event), worker_ends_at=ends_at).to_state()
    finally:
        service().telemetry.flush(RESERVE_SECONDS)


if inside_lambda():
    _ = service().poller  # wired, and its code imported, before the first event
