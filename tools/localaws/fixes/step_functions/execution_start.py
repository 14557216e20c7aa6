r"""Starting an execution checks its name, and starting it again is harmless.

AWS: a running execution of the same name and input is answered as if it had just been started; a name of more than 80
characters, or with spaces, brackets, wildcards or `"#%\^|~`$&,;:/`, is refused with InvalidName.
Stock: refuses the repeated start with ExecutionAlreadyExists, and takes any name.
Matters: dispatch starts a job's execution under the request's id, and may do so twice.
"""

import re
from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function
from tools.localaws.upstream import responses, stepfunctions

GOOD_NAME = re.compile(r"""[^\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]{1,80}""")


def apply() -> None:
    """Stand in front of the start."""
    start = expect_function(stepfunctions, "_start_execution", "data")
    expect_function(stepfunctions, "_resolve_state_machine_arn", "arn")
    expect_attributes(stepfunctions, "_executions", "error_response_json")

    def start_once(data: dict[str, Any]) -> Any:
        name = data.get("name")
        if name is not None and not GOOD_NAME.fullmatch(name):
            return stepfunctions.error_response_json("InvalidName", f"Invalid Name: '{name}'", 400)
        running = _running(data, name) if name else None
        if running is None:
            return start(data)
        return responses.json_response({"executionArn": running["executionArn"], "startDate": running["startDate"]})

    stepfunctions._start_execution = start_once


def _running(data: dict[str, Any], name: str) -> dict[str, Any] | None:
    """A running execution of that name that was given the same input."""
    machine = stepfunctions._resolve_state_machine_arn(data.get("stateMachineArn", "").partition("#")[0])
    arn = f"{str(machine).replace(':stateMachine:', ':execution:', 1)}:{name}"
    found: dict[str, Any] | None = stepfunctions._executions.get(arn)
    same = found is not None and found["status"] == "RUNNING" and found["input"] == data.get("input", "{}")
    return found if same else None
