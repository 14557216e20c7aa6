"""A function's answer whose body is null has an empty body.

AWS: an HTTP API takes a null body for none, as it takes a missing one.
Stock: passes null on to the server, which fails over it: the client sees 500, though the function has done its work.
Matters: DELETE of an override, which Powertools answers with 204 and a null body.
"""

from typing import Any

from tools.localaws.anchors import expect_attributes
from tools.localaws.upstream import apigateway


def apply() -> None:
    """Empty what is null, behind the function and before the server."""
    expect_attributes(apigateway, "_invoke_lambda_proxy")
    invoke = apigateway._invoke_lambda_proxy

    async def invoke_and_empty(*args: Any, **options: Any) -> tuple[int, dict[str, Any], Any]:
        status, headers, body = await invoke(*args, **options)
        return status, headers, b"" if body is None else body

    apigateway._invoke_lambda_proxy = invoke_and_empty
