"""A task that waits to be called back waits no longer than its data say.

AWS: TimeoutSecondsPath takes the timeout of a task from its input.
Stock: ignores it, so that a task with `.waitForTaskToken` waits for more than a day.
Matters: a job whose webhook never comes is polled when that time is over.
"""

from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function
from tools.localaws.upstream import stepfunctions


def apply() -> None:
    """Put the number in the place of its path before the task begins; waits that are scaled stay in proportion."""
    execute = expect_function(stepfunctions, "_execute_task", "state_def", "raw_input", "execution", "ctx")
    expect_attributes(stepfunctions, "_SFN_WAIT_SCALE")

    def execute_within_timeout(state_def: dict[str, Any], raw_input: Any, execution: Any, ctx: Any) -> Any:
        path = state_def.get("TimeoutSecondsPath")
        if path:
            seconds = at(path, raw_input) * stepfunctions._SFN_WAIT_SCALE
            state_def = {**state_def, "TimeoutSeconds": seconds}
        return execute(state_def, raw_input, execution, ctx)

    stepfunctions._execute_task = execute_within_timeout


def at(path: str, given: Any) -> float:
    """What a plain reference path, such as `$.job.wait_seconds`, leads to."""
    for name in path.split(".")[1:]:
        given = given[name]
    return float(given)
