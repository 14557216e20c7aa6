"""A task whose function is throttled fails by the name AWS gives to that.

AWS: `Lambda.TooManyRequestsException`; the function has not run.
Stock: `Lambda.Unknown`, as for any answer that it does not understand.
Matters: a throttled task is tried for hours, since nothing has happened yet; an unknown failure is not.
"""

import json
from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function
from tools.localaws.upstream import stepfunctions

UNKNOWN = "Lambda.Unknown"
THROTTLED = "TooManyRequestsException"


def apply() -> None:
    """Rename it where the function's answer becomes the task's error."""
    call = expect_function(stepfunctions, "_call_lambda", "func_ref", "event")
    expect_attributes(stepfunctions, "_ExecutionError")

    def call_and_name(func_ref: str, event: Any) -> Any:
        try:
            return call(func_ref, event)
        except stepfunctions._ExecutionError as error:
            if error.error == UNKNOWN and throttled(error.cause):
                raise stepfunctions._ExecutionError(f"Lambda.{THROTTLED}", error.cause) from error
            raise

    stepfunctions._call_lambda = call_and_name


def throttled(cause: str) -> bool:
    """Whether the cause is Lambda's refusal to run the function now."""
    try:
        told = json.loads(cause)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("__type") == THROTTLED
