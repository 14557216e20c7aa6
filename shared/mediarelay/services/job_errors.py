"""Why a job did not succeed, in the words its publisher reads."""

from __future__ import annotations

from typing import Final

from mediarelay.contracts.job import JobError
from mediarelay.core.outcome import Failure, Outcome
from mediarelay.services.attempts import ResultLost
from mediarelay.services.job import Job

_RETRYABLE: Final = frozenset(
    {
        Outcome.THROTTLED,
        Outcome.QUOTA_EXHAUSTED,
        Outcome.KEY_REJECTED,
        Outcome.PERMISSION_DENIED,
        Outcome.PROVIDER_FAULT,
        Outcome.OVERLOADED,
        Outcome.TIMEOUT_UNSENT,
    }
)


def failure_error(failure: Failure | None, *, ambiguous: bool) -> JobError:
    """The last failure of a job that has nothing more to try; None when not even a key could be taken."""
    if failure is None:
        message = "every key of every allowed provider is out of quota, rejected or disabled; see the key states"
        return JobError(code="no_usable_key", message=message, retryable=True)
    if ambiguous:
        return JobError(
            code="ambiguous_submit",
            message=f"the provider may have been paid, but its answer was lost ({failure.code}: {failure.message}); "
            'publish with "on_ambiguous": "resubmit" to allow a second purchase',
            retryable=False,
        )
    message = f"{failure.code}: {failure.message}" if failure.message else failure.code
    return JobError(code=failure.outcome.value, message=message, retryable=failure.outcome in _RETRYABLE)


def expired_error(job: Job) -> JobError:
    """The deadline passed."""
    waited = job.branch.expires_at - job.claimed.received_at // 1000
    tried = f"; the last attempt came to {job.attempts[-1].outcome}" if job.attempts else ""
    return JobError(code="expired", message=f"not finished within its {waited} seconds{tried}", retryable=True)


def lost_error(error: ResultLost) -> JobError:
    """Paid, delivered, and nowhere to put it."""
    return JobError(
        code="result_not_stored",
        message=f"the provider delivered and was paid, but the result could not be stored: {error.reason}",
        retryable=False,
    )


def internal_error(error: Exception) -> JobError:
    """A fault of ours."""
    message = f"mediarelay failed with {type(error).__name__}; the message is in the DLQ"
    return JobError(code="internal_error", message=message, retryable=False)
