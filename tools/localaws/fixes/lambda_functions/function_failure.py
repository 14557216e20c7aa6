"""What a Lambda function's failure looks like on AWS, and how it travels through MiniStack.

MiniStack hands a failure on as its message only, so the message is a string that remembers the rest.
"""

import json
import signal
from typing import Any

INIT_FAILED = "Worker init failed: "
EXITED_IN_INIT = "Worker process exited immediately"
DIED = "Worker process died"


class FunctionFailure(str):
    """An error message with the rest of the error payload beside it."""

    __slots__ = ("payload",)
    payload: dict[str, Any]

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> "FunctionFailure":
        """Make one from `{errorMessage, errorType, stackTrace}`."""
        failure = cls(payload["errorMessage"])
        failure.payload = payload
        return failure


def exit_failure(returncode: int | None, request_id: str) -> FunctionFailure:
    """The failure of a worker that ended without answering; the return code as subprocess gives it."""
    how = "without providing a reason"
    if returncode is not None and returncode > 0:
        how = f"with error: exit status {returncode}"
    elif returncode is not None and returncode < 0:
        how = f"with error: signal: {signal.Signals(-returncode).name}"
    message = f"RequestId: {request_id} Error: Runtime exited {how}"
    return FunctionFailure.from_payload({"errorMessage": message, "errorType": "Runtime.ExitError"})


def payload_of(message: str) -> dict[str, Any] | None:
    """The AWS error payload for a failure MiniStack reported by this message, None when it already is as on AWS."""
    if isinstance(message, FunctionFailure):
        return message.payload
    if message.startswith(INIT_FAILED):
        payload: dict[str, Any] = json.loads(message.removeprefix(INIT_FAILED))
        return payload
    if message.startswith(EXITED_IN_INIT):
        return {"errorMessage": "Runtime exited during init", "errorType": "Runtime.ExitError"}
    return None
