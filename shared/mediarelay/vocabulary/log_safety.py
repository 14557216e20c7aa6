"""Faults of others and of ours, without the keys: vendors repeat them, and exceptions quote what they failed on."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from mediarelay.vocabulary.outcome import Failure
from mediarelay.vocabulary.redaction import redact

MESSAGE_LIMIT: Final = 300


def redacted(failure: Failure, secrets: Sequence[str]) -> Failure:
    """Return the failure without keys: the vendor chooses its words and its marker, and either may repeat a key."""
    message = redact(failure.message, secrets)[:MESSAGE_LIMIT]
    return replace(failure, message=message, code=redact(failure.code, secrets))


def exception_fields(error: BaseException, secrets: Iterable[str]) -> dict[str, str]:
    """Return an exception as fields of a log line, named as Powertools names them; `exc_info` would not be redacted."""
    trace = "".join(traceback.format_exception(error))
    return {"exception_name": type(error).__name__, "stack_trace": redact(trace, secrets)}
