"""Why a job did not succeed, in the words its publisher reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mediarelay.job_records.claims import CANCELLED
from mediarelay.job_records.contract import AttemptSummary, JobError
from mediarelay.job_records.job_spec import exceeds, would_cost
from mediarelay.request.bounds import plain_key
from mediarelay.results.result_store import ResultLost
from mediarelay.vocabulary.errors import RequestRejected
from mediarelay.vocabulary.outcome import Failure, Outcome

OVER_BUDGET: Final = "over_budget"
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


def used_before(key: str) -> RequestRejected:
    """Return the refusal of a request whose id belongs to a job with another content."""
    reason = f"request_id: {plain_key(key)} was used before with another content"
    return RequestRejected("idempotency_conflict", reason)


def failure_error(failure: Failure | None, *, ambiguous: bool) -> JobError:
    """Return the error for the last failure of a job; *failure* is None when not even a key could be taken."""
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


def too_dear_error(
    prices: Mapping[str, float], spent_usd: float, most_usd: float | None, failure: Failure | None
) -> JobError:
    """Return the error for a job that could have gone on only beyond its bound; *failure* is what came before.

    Or beyond the budget that pays for it, where each price would be within the bound, or there is none.
    """
    spent = f", of which {spent_usd:.6g} is spent or may be" if spent_usd else ""
    last = "" if failure is None else f"; the last attempt came to {failure.outcome}"
    if most_usd is None or not all(exceeds(spent_usd + price, most_usd) for price in prices.values()):
        message = f"the budget does not allow more{spent}; it would cost: {would_cost(prices)}{last}"
        return JobError(code=OVER_BUDGET, message=message, retryable=True)
    message = f"max_cost_usd: {most_usd:g}{spent}; it would cost: {would_cost(prices)}{last}"
    return JobError(code="too_expensive", message=message, retryable=False)


def expired_error(
    expires_at: int, received_at: int, attempts: Sequence[AttemptSummary], *, would_take: float | None = None
) -> JobError:
    """Return the error for a deadline that passed, or that will have passed before a key is free, in so many seconds.

    Moments as in the job record: seconds, and milliseconds.
    """
    waited = expires_at - received_at // 1000
    tried = f"; the last attempt came to {attempts[-1].outcome}" if attempts else ""
    if would_take is None:
        return JobError(code="expired", message=f"not finished within its {waited} seconds{tried}", retryable=True)
    message = (
        f"it would take {would_take:.0f} s more, and not be within its {waited} seconds; nothing was bought{tried}"
    )
    return JobError(code="would_expire", message=message, retryable=True, would_take_seconds=round(would_take, 1))


def lost_error(error: ResultLost) -> JobError:
    """Return the error for a result that was paid for, delivered, and could not be stored."""
    return JobError(
        code="result_not_stored",
        message=f"the provider delivered and was paid, but the result could not be stored: {error.reason}",
        retryable=False,
    )


def worker_lost_error(purchases: int) -> JobError:
    """Return the error for a job whose worker was lost and that may not be bought again; `purchases` may have been."""
    message = f"a worker was lost while it served the job; {purchases} purchases may have been made, and no result"
    return JobError(code="worker_lost", message=f"{message} was found", retryable=False)


def internal_error(error: Exception) -> JobError:
    """Return the error for a fault of ours."""
    message = f"mediarelay failed with {type(error).__name__}; the message is in the DLQ"
    return JobError(code="internal_error", message=message, retryable=False)


def vanished_error(failure: Failure) -> JobError:
    """Return the error for a job that the vendor accepted and no longer knows."""
    message = f"the provider accepted the job and now knows nothing of it; it may have been paid for ({failure.code})"
    return JobError(code="job_vanished", message=message, retryable=False)


def unfetched_error(urls: Sequence[str], reason: str) -> JobError:
    """Return the error for a paid result that could not be fetched while the vendor kept it."""
    message = f"the result is finished and paid for, but could not be fetched: {reason}; it was at {', '.join(urls)}"
    return JobError(code="result_not_fetched", message=message[:900], retryable=False)


def cancelled_error() -> JobError:
    """Return the error for a job that its publisher cancelled."""
    return JobError(code=CANCELLED, message="cancelled by its publisher", retryable=False)


def lost_execution_error(name: str) -> JobError:
    """Return the error for an execution that ended without settling its job, by Step Functions' or our error name."""
    message = f"the execution of the job ended with {name}; see the state machine's history and the functions' logs"
    return JobError(code="internal_error", message=message, retryable=False)


def not_joined_error(reason: str, *, bought: bool) -> JobError:
    """Return the error for a long text whose parts can't be made one file; `bought` when they were all paid for."""
    message = f"the text is longer than any model takes, and its parts could not be joined: {reason}"
    if bought:
        message = f"all parts were spoken and paid for, but could not be joined: {reason}; they are kept for some days"
    return JobError(code="result_not_joined", message=message[:900], retryable=False)
