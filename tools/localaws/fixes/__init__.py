"""One module per fix. Each says what AWS does, what stock MiniStack does, and why it matters to mediarelay."""

from importlib import import_module

SELECTION_VARIABLE = "MEDIARELAY_LOCAL_FIXES"

# In the order they apply.
MODULES = (
    "lambda_functions.lambda_errors",
    "lambda_functions.lambda_logs",
    "lambda_functions.frozen_workers",
    "lambda_functions.shared_layers",
    "event_sources.event_filters",
    "streams.stream_event_source",
    "event_sources.sqs_event_source",
    "event_sources.loop_detection",
    "event_sources.mapping_numbers",
    "cloudwatch.metrics",
    "cloudwatch.alarms",
    "lambda_functions.log_levels",
    "streams.ttl",
    "messages.queue_delay_limit",
    "messages.move_task",
    "messages.topic_publish_limits",
    "messages.object_checksum_reply",
    "permissions.loopback_transport",
    "permissions.batch_permissions",
    "streams.statement_streams",
    "api_gateway.http_api",
    "api_gateway.authorizer_refusal",
    "api_gateway.null_body",
    "step_functions.execution_start",
    "step_functions.execution_timeout",
    "step_functions.task_retries",
    "step_functions.throttled_task",
    "step_functions.callback_timeout",
    "step_functions.task_token_permission",
)
FIXES = tuple(module.rpartition(".")[2] for module in MODULES)


class UnknownFixError(Exception):
    """The selection names a fix that does not exist."""


def choose_fixes(selection: str) -> tuple[str, ...]:
    """Turn `all`, `none` or a comma-separated list into fix names, in the order they apply."""
    if selection in ("all", "none"):
        return FIXES if selection == "all" else ()
    wanted = {name.strip() for name in selection.split(",") if name.strip()}
    unknown = sorted(wanted.difference(FIXES))
    if unknown:
        raise UnknownFixError(f"{SELECTION_VARIABLE} names {', '.join(unknown)}; known: {', '.join(FIXES)}")
    return tuple(name for name in FIXES if name in wanted)


def apply_fixes(names: tuple[str, ...]) -> None:
    """Apply the named fixes; raises UpstreamChangedError when MiniStack no longer fits one of them."""
    for module in MODULES:
        if module.rpartition(".")[2] in names:
            import_module(f"{__name__}.{module}").apply()
