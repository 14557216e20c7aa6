"""An execution that runs longer than its machine allows is timed out.

AWS: TimeoutSeconds of the machine ends the execution with status TIMED_OUT and error States.Timeout, and the status
change is an EventBridge event.
Stock: ignores it.
Matters: the event is the last resort of a job whose execution got stuck; it must be seen to work.
"""

import contextvars
import json
import threading
from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function
from tools.localaws.upstream import stepfunctions


def apply() -> None:
    """Set a timer beside every execution of a machine with a timeout."""
    run = expect_function(stepfunctions, "_run_execution", "exec_arn")
    expect_function(stepfunctions, "_add_event", "execution", "event_type", "details")
    expect_function(stepfunctions, "_emit_execution_status_event", "execution")
    expect_attributes(stepfunctions, "_executions", "_state_machines", "_SFN_WAIT_SCALE", "now_iso")

    def run_within_timeout(exec_arn: str) -> None:
        seconds = _timeout(exec_arn)
        if seconds is None:
            run(exec_arn)
            return
        context = contextvars.copy_context()
        timer = threading.Timer(seconds * stepfunctions._SFN_WAIT_SCALE, context.run, (_time_out, exec_arn))
        timer.daemon = True
        timer.start()
        try:
            run(exec_arn)
        finally:
            timer.cancel()

    stepfunctions._run_execution = run_within_timeout


def _timeout(exec_arn: str) -> float | None:
    execution = stepfunctions._executions.get(exec_arn) or {}
    machine = stepfunctions._state_machines.get(execution.get("stateMachineArn")) or {}
    try:
        seconds: float | None = json.loads(machine.get("definition", "{}")).get("TimeoutSeconds")
    except ValueError:
        return None
    return seconds


def _time_out(exec_arn: str) -> None:
    execution: dict[str, Any] = stepfunctions._executions.get(exec_arn) or {}
    if execution.get("status") != "RUNNING":
        return
    execution |= {"status": "TIMED_OUT", "stopDate": stepfunctions.now_iso(), "error": "States.Timeout"}
    details = {"executionTimedOutEventDetails": {"error": "States.Timeout"}}
    stepfunctions._add_event(execution, "ExecutionTimedOut", details)
    stepfunctions._emit_execution_status_event(execution)
