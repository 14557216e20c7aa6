"""A failing function answers with its own error type.

AWS: `{errorMessage, errorType, stackTrace, requestId}`, errorType being the exception's class name; a process that ends
is `Runtime.ExitError`, a module that cannot be imported `Runtime.ImportModuleError`, a result that is not JSON
`Runtime.MarshalError`. The execution environment survives a handled exception.
Stock: errorType is always `Runtime.HandlerError`, there is no stack trace, and an exception costs the worker process.
Matters: the state machine's Retry and Catch match on error names; with stock they never do.
"""

from typing import Any

from tools.localaws.anchors import expect_function, replace_once
from tools.localaws.fixes.lambda_functions import worker_errors
from tools.localaws.fixes.lambda_functions.function_failure import DIED, FunctionFailure, exit_failure, payload_of
from tools.localaws.upstream import lambda_runtime, lambda_service


def apply() -> None:
    """Report errors in full from the worker, keep them through the pool, and put them in the payload."""
    _teach_worker()
    _keep_failure_in_worker_reply()
    _answer_with_payload()


def _teach_worker() -> None:
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    script = replace_once(script, worker_errors.STOCK_REPLY, worker_errors.REPLY)
    script = replace_once(script, worker_errors.STOCK_INIT, worker_errors.INIT)
    lambda_runtime._PYTHON_WORKER_SCRIPT = worker_errors.ENCODERS + script


def _keep_failure_in_worker_reply() -> None:
    worker = lambda_runtime.Worker
    invoke = expect_function(
        worker, "invoke", "self", "event", "request_id", "trace_id", "depth", "durable", "invoked_function_arn"
    )
    spawn = expect_function(worker, "_spawn", "self")

    def spawn_and_remember(self: Any) -> None:
        spawn(self)
        self.mediarelay_process = self._proc

    def invoke_with_failure(self: Any, event: Any, request_id: str, **context: Any) -> dict[str, Any]:
        reply: dict[str, Any] = invoke(self, event, request_id, **context)
        failure = reply.pop("failure", None)
        if failure is not None:
            return {**reply, "status": "error", "error": FunctionFailure.from_payload(failure), "trace": ""}
        if reply.get("error") == DIED:
            reply["error"] = exit_failure(self.mediarelay_process.poll(), request_id)
        return reply

    worker._spawn = spawn_and_remember
    worker.invoke = invoke_with_failure


def _answer_with_payload() -> None:
    execute = expect_function(lambda_service, "_execute_function_warm", "func", "event", "request_id")

    def execute_warm(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        result: dict[str, Any] = execute(func, event, request_id)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and "errorMessage" in body:
            payload = payload_of(body["errorMessage"])
            if payload is not None:
                result["body"] = {**payload, "requestId": request_id}
        return result

    lambda_service._execute_function_warm = execute_warm
