"""The state machine of video and audio jobs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mediarelay.aws.stores import store_errors
from mediarelay.long_jobs.ports import FoundExecution


class StepFunctions:
    """Implements `long_jobs.ports.Executions`."""

    def __init__(self, client: Any, state_machine_arn: str) -> None:
        self._client = client
        self._arn = state_machine_arn

    def start(self, name: str, state: Mapping[str, object]) -> bool:
        """See `long_jobs.ports.Executions.start`. A running one of the same name and input also counts as started."""
        with store_errors("state machine", "start an execution"):
            try:
                document = json.dumps(state, separators=(",", ":"))
                self._client.start_execution(stateMachineArn=self._arn, name=name, input=document)
            except self._client.exceptions.ExecutionAlreadyExists:
                return False
        return True

    def find(self, name: str) -> FoundExecution | None:
        """See `long_jobs.ports.Executions.find`."""
        with store_errors("state machine", "find an execution"):
            try:
                found = self._client.describe_execution(executionArn=self._execution(name))
            except self._client.exceptions.ExecutionDoesNotExist:
                return None
        return FoundExecution(found["status"] == "RUNNING", json.loads(found["input"]))

    def stop(self, name: str, *, error: str, cause: str) -> bool:
        """See `long_jobs.ports.Executions.stop`."""
        with store_errors("state machine", "stop an execution"):
            try:
                self._client.stop_execution(executionArn=self._execution(name), error=error, cause=cause)
            except self._client.exceptions.ExecutionDoesNotExist:
                return False
            except self._client.exceptions.ValidationException:
                return False  # it has ended
        return True

    def _execution(self, name: str) -> str:
        return f"{self._arn.replace(':stateMachine:', ':execution:', 1)}:{name}"


def ended_or_caught(event: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return the state that a settling function is invoked with, and whether an execution goes on with its answer.

    A machine hands over its state; what it caught is in there under `failure`, and the whole under `failed` where it
    goes on afterwards. Machines of before don't: their executions, which may run for days yet, end with what follows a
    catch. Of a Step Functions Execution Status Change event it is the state with which the execution began.
    """
    if "detail" in event:
        detail = event["detail"]
        failure = {"Error": detail.get("error") or detail["status"], "Cause": detail.get("cause") or ""}
        return {**json.loads(detail["input"]), "failure": failure}, False
    if "failed" in event:
        failed: dict[str, Any] = event["failed"]
        return failed, True
    return event, "failure" not in event
