"""A task token is answered by whoever may answer for its state machine.

AWS: the resource of SendTaskSuccess, SendTaskFailure and SendTaskHeartbeat is the state machine of the token.
Stock: knows no resource for them, so that a policy that names the machine does not allow them.
Matters: the function that takes webhooks may wake executions of the one machine there is.
"""

import json
from contextvars import ContextVar
from typing import Any

from tools.localaws.anchors import expect_function
from tools.localaws.upstream import iam_actions, stepfunctions

_machine_at_work: ContextVar[str] = ContextVar("machine_at_work", default="*")
_machines: dict[str, str] = {}


def apply() -> None:
    """Remember whose each token is while its task waits, and say so when a call with it is judged."""
    execute = expect_function(stepfunctions, "_execute_task", "state_def", "raw_input", "execution", "ctx")
    wait = expect_function(stepfunctions, "_invoke_with_callback", "resource", "input_data", "token", "state_def")
    names = ("service", "method", "path", "headers", "body", "query_params", "region", "account_id")
    extract = expect_function(iam_actions, "extract_resource_arn", *names)

    def execute_for_its_machine(state_def: Any, raw_input: Any, execution: Any, ctx: Any) -> Any:
        mark = _machine_at_work.set(ctx["StateMachine"]["Id"])
        try:
            return execute(state_def, raw_input, execution, ctx)
        finally:
            _machine_at_work.reset(mark)

    def wait_for_its_machine(resource: Any, input_data: Any, token: str, state_def: Any) -> Any:
        _machines[token] = _machine_at_work.get()
        try:
            return wait(resource, input_data, token, state_def)
        finally:
            del _machines[token]

    def extract_with_tokens(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> Any:
        token = _token(body) if service == "states" else None
        return _machines.get(token, "*") if token else extract(service, method, path, headers, body, *rest)

    stepfunctions._execute_task = execute_for_its_machine
    stepfunctions._invoke_with_callback = wait_for_its_machine
    iam_actions.extract_resource_arn = extract_with_tokens


def _token(body: bytes) -> str | None:
    try:
        token: str | None = json.loads(body).get("taskToken")
    except (ValueError, AttributeError):
        return None
    return token
