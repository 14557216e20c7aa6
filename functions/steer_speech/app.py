"""State machine -> results bucket and Jobs table: split a long text, decide after each round of its parts, join them.

Two more ask for it: the state machine's own catch, with the error under `failure`; and EventBridge, when an execution
ended without reaching this function.
"""

from __future__ import annotations

import functools
import time
from typing import Any, Final

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import ProviderSettings, inside_lambda
from mediarelay.bootstrap.speech import build_steerer
from mediarelay.long_jobs.step_functions import ended_or_caught
from mediarelay.long_speech.speech_state import SpeechState
from mediarelay.long_speech.steer import SpeechSteerer

# What the runtime needs to return an answer.
RESERVE_SECONDS: Final = 2.0

logger = package_logger()


@functools.cache
def service() -> SpeechSteerer:
    """One per worker, with its connections."""
    return build_steerer(ProviderSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point: the execution's state in, the execution's state out."""
    ends_at = time.time() + context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS
    state, resumes = ended_or_caught(event)
    speech, failure = SpeechState.from_state(state), state.get("failure")
    return service().steer(speech, worker_ends_at=ends_at, failure=failure, resumes=resumes).to_state()


if inside_lambda():
    service()
