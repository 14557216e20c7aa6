"""Executions that wait for a webhook: `pk` = WEBHOOK#fal, `sk` = the vendor's id, written by the state machine."""

from __future__ import annotations

from typing import Any, Final

from mediarelay.aws.stores import store_errors

PARTITION: Final = "WEBHOOK#fal"


class DynamoWaitingTasks:
    """Implements `long_jobs.webhooks.ports.WaitingTasks`."""

    def __init__(self, table: Any, name: str, machine: Any) -> None:
        """*table* and *machine* are clients of DynamoDB and Step Functions."""
        self._table = table
        self._name = name
        self._machine = machine

    def token(self, request_id: str) -> str | None:
        """See `long_jobs.webhooks.ports.WaitingTasks.token`."""
        key = {"pk": {"S": PARTITION}, "sk": {"S": request_id}}
        with store_errors("telemetry table", "find a waiting task"):
            found = self._table.get_item(TableName=self._name, Key=key, ConsistentRead=True)
        token: str | None = found.get("Item", {}).get("token", {}).get("S")
        return token

    def wake(self, token: str) -> bool:
        """See `long_jobs.webhooks.ports.WaitingTasks.wake`."""
        gone = (self._machine.exceptions.TaskDoesNotExist, self._machine.exceptions.TaskTimedOut)
        with store_errors("state machine", "wake a task"):
            try:
                self._machine.send_task_success(taskToken=token, output="{}")
            except gone:
                return False
        return True
