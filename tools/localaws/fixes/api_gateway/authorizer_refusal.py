"""A Lambda authorizer that fails with the word Unauthorized makes a 401.

AWS: an authorizer that raises an error whose message is exactly "Unauthorized" is answered with 401; any other failure
with 500.
Stock: every failure is 500.
Matters: without, with a wrong, and with an expired token the API answers nothing but 401.
"""

import json
from contextvars import ContextVar
from typing import Any

from tools.localaws.anchors import expect_function
from tools.localaws.upstream import apigateway, lambda_service

WORD = "Unauthorized"
REFUSAL = (401, {"Content-Type": "application/json"}, b'{"message":"Unauthorized"}')

_refused: ContextVar[bool] = ContextVar("refused", default=False)
_authorizing: ContextVar[bool] = ContextVar("authorizing", default=False)


def apply() -> None:
    """Remember what the authorizer's function failed with, and answer accordingly."""
    authorize = expect_function(
        apigateway,
        "_authorize_request_v2",
        *("api_id", "stage", "route", "method", "path", "resource_path", "headers", "query_params", "path_params"),
        *("stage_vars", "owner_account_id", "owner_region", "raw_query_string"),
    )
    invoke = expect_function(
        apigateway, "_invoke_request_authorizer_lambda", "authorizer", "event", "account_id", "region"
    )
    run = apigateway.run_reentrant
    expect_function(lambda_service, "_execute_function_with_config_scope", "func", "event")

    async def run_and_remember(target: Any, *args: Any, **options: Any) -> Any:
        result = await run(target, *args, **options)
        if _authorizing.get() and isinstance(result, dict) and result.get("error"):
            _refused.set(_message(result.get("body")) == WORD)
        return result

    async def invoke_watched(authorizer: Any, event: Any, account_id: Any, region: Any) -> Any:
        watching = _authorizing.set(True)
        try:
            return await invoke(authorizer, event, account_id, region)
        finally:
            _authorizing.reset(watching)

    async def authorize_or_refuse(*args: Any, **options: Any) -> Any:
        _refused.set(False)
        answer, context = await authorize(*args, **options)
        return (REFUSAL, None) if _refused.get() else (answer, context)

    apigateway.run_reentrant = run_and_remember
    apigateway._invoke_request_authorizer_lambda = invoke_watched
    apigateway._authorize_request_v2 = authorize_or_refuse


def _message(body: Any) -> str | None:
    """What the failed function's error says."""
    error = json.loads(body) if isinstance(body, str | bytes) else body
    return error.get("errorMessage") if isinstance(error, dict) else None
