"""Logging for the functions: Powertools JSON lines, for its logger and for every module of this package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers

# What the log group says of every line in it. Logs are paid for by the byte, and these were a third of them.
REPEATED: Final = frozenset({"function_arn", "function_name", "function_memory_size", "cold_start"})


def package_logger() -> Logger:
    """Return the function's logger; modules of the package log through it by the standard library."""
    logger = Logger(use_rfc3339=True, json_serializer=_line)
    copy_config_to_registered_loggers(source_logger=logger, include={"mediarelay"}, ignore_log_level=False)
    return logger


def _line(record: Mapping[str, Any]) -> str:
    """Returns a record as one line, without what all lines of a function share."""
    kept = {name: value for name, value in record.items() if name not in REPEATED}
    return json.dumps(kept, default=str, separators=(",", ":"), ensure_ascii=False)
