"""A function that its own messages invoke over and over is stopped.

AWS: each invocation has a trace header whose Lineage counts how often each function ran in the chain of requests; SDKs
(botocore since 1.27.46) send it with every call, and SQS keeps it with the message. A batch with a message whose chain
has invoked the function about sixteen times is refused with RecursiveInvocationException: all its messages become
visible again, one receive older. `RecursiveLoop: Allow` lifts it. (Lambda developer guide, "Use Lambda recursive loop
detection to prevent infinite loops"; X-Ray developer guide, "Amazon SQS and AWS X-Ray".)
Stock: counts a function that invokes itself, and nothing that goes through a queue; CloudFormation drops RecursiveLoop.
Matters: a deferred message is such a chain.
What becomes of the counts of a batch AWS doesn't say: here the longest goes on. Topics and buckets are left out.
"""

import logging
from contextvars import ContextVar
from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function, replace_handler
from tools.localaws.fixes.event_sources.lineage import LONGEST_CHAIN, fingerprint, longest, trace_header
from tools.localaws.upstream import cloudwatch, lambda_service, provisioners, sqs

RESOURCE = "AWS::Lambda::Function"
TRACE_HEADER = "x-amzn-trace-id"

logger = logging.getLogger("mediarelay.launcher")
_sent_with: ContextVar[str] = ContextVar("mediarelay_trace_header", default="")
_chain: ContextVar[dict[str, int] | None] = ContextVar("mediarelay_chain", default=None)


def apply() -> None:
    """Count the chain from the invocation through the message to the next batch, and refuse that when it is long."""
    expect_attributes(lambda_service, "_functions", "_run_sqs_batch")
    expect_function(cloudwatch, "record_metric", "namespace", "metric_name", "value", "unit", "dimensions")
    expect_function(lambda_service, "_xray_trace_id_for_invocation", "config", "inbound_trace_header")
    lambda_service._xray_trace_id_for_invocation = _trace_of_invocation
    _keep_trace_with_message()
    _refuse_long_chains()
    _deploy_setting()


def _trace_of_invocation(config: dict[str, Any], inbound_trace_header: str | None = None) -> str:
    sampled = (config.get("TracingConfig") or {}).get("Mode") == "Active"
    return inbound_trace_header or trace_header(_chain.get() or {}, config["FunctionName"], sampled=sampled)


def _keep_trace_with_message() -> None:
    handle = expect_function(sqs, "handle_request", "method", "path", "headers", "body", "query_params")
    attributes = expect_function(sqs, "_build_send_sys_attrs", "now", "sys_attrs_input")

    async def handle_with_trace(method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Any:
        _sent_with.set(headers.get(TRACE_HEADER, ""))
        return await handle(method, path, headers, body, query)

    def attributes_with_trace(now: float, given: dict[str, Any]) -> dict[str, str]:
        trace = _sent_with.get()
        found: dict[str, str] = attributes(now, given)
        return {"AWSTraceHeader": trace, **found} if trace else found

    sqs.handle_request = handle_with_trace
    sqs._build_send_sys_attrs = attributes_with_trace


def _refuse_long_chains() -> None:
    run = lambda_service._run_sqs_batch

    def run_unless_it_loops(
        mapping: dict[str, Any], function: dict[str, Any], event: dict[str, Any], *rest: Any
    ) -> None:
        chain = longest(record["attributes"].get("AWSTraceHeader") for record in event["Records"])
        name = (function.get("config") or function)["FunctionName"]
        loops = chain.get(fingerprint(name), 0) >= LONGEST_CHAIN
        if loops and lambda_service._functions[name].get("recursive_loop") != "Allow":
            logger.warning("RecursiveInvocationException: %s is not invoked with %s", name, mapping["EventSourceArn"])
            cloudwatch.record_metric("AWS/Lambda", "RecursiveInvocationsDropped", 1, "Count", {"FunctionName": name})
            mapping["LastProcessingResult"] = "FAILED"
            return
        token = _chain.set(chain)
        try:
            run(mapping, function, event, *rest)
        finally:
            _chain.reset(token)

    lambda_service._run_sqs_batch = run_unless_it_loops


def _deploy_setting() -> None:
    create = expect_function(provisioners, "_lambda_create", "logical_id", "props", "stack_name")
    update = expect_function(
        provisioners, "_lambda_update", "physical_id", "old_props", "new_props", "stack_name", "logical_id"
    )

    def set_on(made: Any, props: dict[str, Any]) -> Any:
        lambda_service._functions[made[0]]["recursive_loop"] = props.get("RecursiveLoop", "Terminate")
        return made

    def create_with_setting(logical_id: str, props: dict[str, Any], stack_name: str) -> Any:
        return set_on(create(logical_id, props, stack_name), props)

    def update_with_setting(
        physical_id: str, old_props: dict[str, Any], new_props: dict[str, Any], stack_name: str, logical_id: Any = None
    ) -> Any:
        return set_on(update(physical_id, old_props, new_props, stack_name, logical_id), new_props)

    replace_handler(provisioners, RESOURCE, "create", create, create_with_setting)
    replace_handler(provisioners, RESOURCE, "update", update, update_with_setting)
