"""A fault of ours, told in full but for the keys: an exception quotes what it choked on, and that may be a header."""

from __future__ import annotations

import traceback
from collections.abc import Iterable

from mediarelay.core.redaction import redact


def told(error: BaseException, secrets: Iterable[str]) -> dict[str, str]:
    """Fields for the log line, named as Powertools names them; in place of `exc_info`, which would not be redacted."""
    trace = "".join(traceback.format_exception(error))
    return {"exception_name": type(error).__name__, "stack_trace": redact(trace, secrets)}
