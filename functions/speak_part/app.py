"""State machine -> provider: have one part of a long text spoken, once."""

from __future__ import annotations

import functools
import time
from typing import Any, Final

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.bootstrap.speech import SpeakSettings, build_speaker
from mediarelay.long_speech.speak import PartSpeaker
from mediarelay.long_speech.speech_state import PartTask

# What the runtime needs to return an answer and the telemetry flush to finish.
RESERVE_SECONDS: Final = 2.5

logger = package_logger()


@functools.cache
def service() -> PartSpeaker:
    """One per worker, with its key pools and connections."""
    return build_speaker(SpeakSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point: one part in, the same part with what follows out."""
    ends_at = time.time() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    try:
        return service().speak(PartTask.from_state(event), worker_ends_at=ends_at).to_state()
    finally:
        service().end(worker_ends_at=ends_at + RESERVE_SECONDS)


if inside_lambda():
    service()
