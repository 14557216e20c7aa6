"""Media by way of a mediarelay stack.

with Relay.from_env() as relay:
    relay.draw("a lighthouse at dusk").result(timeout=120).save("lighthouse.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mediarelay_client.aio import AsyncJob, AsyncRelay
    from mediarelay_client.errors import (
        AmbiguousPurchase,
        ContentRejected,
        InvalidRequest,
        JobCancelled,
        JobExpired,
        JobFailed,
        JobRejected,
        NotAllowed,
        NotFound,
        OverBudget,
        RelayError,
        Unavailable,
        WaitTimeout,
    )
    from mediarelay_client.job import Job, Update
    from mediarelay_client.models import JobRecord, ResultEvent
    from mediarelay_client.relay import Relay
    from mediarelay_client.result import File, Result

__version__ = "0.1.0"
_ERRORS = (
    *("AmbiguousPurchase", "ContentRejected", "InvalidRequest", "JobCancelled", "JobExpired", "JobFailed"),
    *("JobRejected", "NotAllowed", "NotFound", "OverBudget", "RelayError", "Unavailable", "WaitTimeout"),
)
_FROM = {
    **dict.fromkeys(_ERRORS, "errors"),
    **dict.fromkeys(("AsyncJob", "AsyncRelay"), "aio"),
    **dict.fromkeys(("Job", "Update"), "job"),
    **dict.fromkeys(("JobRecord", "ResultEvent"), "models"),
    **dict.fromkeys(("File", "Result"), "result"),
    "Relay": "relay",
}
__all__ = [
    "AmbiguousPurchase",
    "AsyncJob",
    "AsyncRelay",
    "ContentRejected",
    "File",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobExpired",
    "JobFailed",
    "JobRecord",
    "JobRejected",
    "NotAllowed",
    "NotFound",
    "OverBudget",
    "Relay",
    "RelayError",
    "Result",
    "ResultEvent",
    "Unavailable",
    "Update",
    "WaitTimeout",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for: the command's help needs none of it."""
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 # as above

    return getattr(import_module(f"{__name__}.{_FROM[name]}"), name)
