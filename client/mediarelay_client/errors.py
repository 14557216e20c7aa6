"""Every error of the client, with its facts as attributes.

    RelayError
    ├── InvalidRequest     found before anything was sent, in the queue's own words
    ├── NotFound           no such job, key, provider or stack
    ├── NotAllowed         no token, a wrong role, no permission of AWS
    ├── Unavailable        the queue or the API, after five tries
    ├── WaitTimeout        the wait ended; the job goes on
    └── JobFailed          the job has ended without a result
        ├── JobRejected    it could never be served
        ├── JobExpired     its deadline came first
        ├── JobCancelled   its publisher ended it
        ├── ContentRejected    a vendor refused what was asked
        ├── OverBudget     a budget does not allow it
        └── AmbiguousPurchase  it may have been paid for, and its answer was lost

`code` is stable; one that this version does not know makes a `JobFailed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from mediarelay_client.models import ResultEvent


class RelayError(Exception):
    """Root of the tree.

    Attributes:
        code: Stable, for programs.
        message: What happened, for people.
        retryable: Whether the same again may help.
        request_id: Of which request, where it is of one.
        hint: What to do about it, where that is known.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        code: str,
        message: str,
        *,
        retryable: bool = False,
        request_id: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.retryable = retryable
        self.request_id = request_id
        self.hint = hint
        super().__init__(f"{code}: {message}")


class InvalidRequest(RelayError):
    """The request can never be served; nothing was sent."""

    exit_code = 2


class NotFound(RelayError):
    """There is no such job, key, provider or stack."""

    exit_code = 3


class NotAllowed(RelayError):
    """Nobody let us in."""

    exit_code = 4


class Unavailable(RelayError):
    """The queue or the API could not be reached, or refused for now."""


class WaitTimeout(RelayError):
    """The wait ended before the job; it goes on."""

    exit_code = 6


class JobFailed(RelayError):
    """The job ended without a result; `event` tells all."""

    def __init__(self, event: ResultEvent) -> None:
        self.event = event
        error = event.error
        super().__init__(
            error.code if error else event.status,
            error.message if error else f"the job is {event.status}",
            retryable=bool(error and error.retryable),
            request_id=event.request_id,
        )


class JobRejected(JobFailed):
    """It could never be served."""


class JobExpired(JobFailed):
    """Its deadline came first."""


class JobCancelled(JobFailed):
    """Its publisher ended it."""


class ContentRejected(JobFailed):
    """A vendor refused what was asked."""


class OverBudget(JobFailed):
    """A budget does not allow it."""


class AmbiguousPurchase(JobFailed):
    """It may have been paid for, and its answer was lost."""


_BY_CODE: dict[str, type[JobFailed]] = {
    "cancelled": JobCancelled,
    "content_rejected": ContentRejected,
    "over_budget": OverBudget,
    "ambiguous_submit": AmbiguousPurchase,
}
_BY_STATUS: dict[str, type[JobFailed]] = {"rejected": JobRejected, "expired": JobExpired}


def failure(event: ResultEvent) -> JobFailed:
    """Return the error that a job's end is; a code that is not known makes it by its status."""
    kind = _BY_CODE.get(event.error.code) if event.error else None
    return (kind or _BY_STATUS.get(event.status, JobFailed))(event)
