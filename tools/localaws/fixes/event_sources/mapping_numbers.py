"""A mapping's concurrency limit may come from a template parameter.

AWS: a Number parameter reaches Lambda as a number.
Stock: CloudFormation hands it on as text, and comparing it stops the poller: no queue reaches any function any more.
Matters: the template takes MaximumConcurrency of the request queue's mapping from a parameter.
"""

from typing import Any

from tools.localaws.anchors import expect_function
from tools.localaws.upstream import lambda_service


def apply() -> None:
    """Give the number to the one place that compares it."""
    limit = expect_function(lambda_service, "_sqs_esm_concurrency", "esm", "func_rec", "config", "queue")

    def numeric_limit(esm: dict[str, Any], *rest: Any) -> int:
        scaling = esm.get("ScalingConfig") or {}
        if "MaximumConcurrency" in scaling:
            number = int(scaling["MaximumConcurrency"])
            esm = {**esm, "ScalingConfig": {**scaling, "MaximumConcurrency": number}}
        concurrency: int = limit(esm, *rest)
        return concurrency

    lambda_service._sqs_esm_concurrency = numeric_limit
