"""A function's log holds no line below its level.

AWS: where LogFormat is JSON, no line below ApplicationLogLevel (INFO unless it is given) reaches CloudWatch Logs. The
level is the key `level` of a JSON line; "if the level value field is invalid or missing, Lambda will assign the log
output the level INFO". (Lambda developer guide, "Log-level filtering".)
Stock: keeps every line.
Matters: metrics in the embedded format are lines without a level, and alarms watch them.
"""

import json
from typing import Any

from tools.localaws.anchors import expect_attributes
from tools.localaws.upstream import lambda_service

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
# As Python's logging names them.
OTHER_NAMES = {"WARNING": "WARN", "CRITICAL": "FATAL"}
DEFAULT = "INFO"


def apply() -> None:
    """Filter what a function printed, before its log or its metrics are taken from it."""
    expect_attributes(lambda_service, "_emit_lambda_logs")
    emit = lambda_service._emit_lambda_logs

    def emit_filtered(func: dict[str, Any], request_id: str, log_text: str, *rest: Any, **options: Any) -> None:
        settings = (func.get("config") or func).get("LoggingConfig") or {}
        if settings.get("LogFormat") == "JSON":
            log_text = _filtered(log_text or "", settings.get("ApplicationLogLevel") or DEFAULT)
        emit(func, request_id, log_text, *rest, **options)

    lambda_service._emit_lambda_logs = emit_filtered


def _filtered(log: str, level: str) -> str:
    lowest = LEVELS.index(level)
    return "\n".join(line for line in log.splitlines() if LEVELS.index(_level(line)) >= lowest)


def _level(line: str) -> str:
    try:
        document = json.loads(line)
    except ValueError:
        return DEFAULT
    given = str(document.get("level", "")).upper() if isinstance(document, dict) else ""
    level = OTHER_NAMES.get(given, given)
    return level if level in LEVELS else DEFAULT
