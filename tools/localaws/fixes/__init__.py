"""One module per fix. Each says what AWS does, what stock MiniStack does, and why it matters to mediarelay."""

from importlib import import_module

SELECTION_VARIABLE = "MEDIARELAY_LOCAL_FIXES"

FIXES = (
    "lambda_errors",
    "lambda_logs",
    "event_filters",
    "stream_event_source",
    "sqs_event_source",
    "mapping_numbers",
    "metrics",
    "alarms",
    "ttl",
    "queue_delay_limit",
    "topic_publish_limits",
    "object_checksum_reply",
    "loopback_transport",
    "batch_permissions",
    "statement_streams",
    "http_api",
    "authorizer_refusal",
    "null_body",
    "execution_start",
    "execution_timeout",
    "task_retries",
    "throttled_task",
    "callback_timeout",
    "task_token_permission",
)


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
    for name in names:
        import_module(f"{__name__}.{name}").apply()
