"""What a route in OpenAI's shape answers: its envelope of errors, and whether an SDK may send the request again.

Both SDKs go by `x-should-retry` before they look at the status (openai-python 3.54.0, `_should_retry`; openai-node
6.49.0, `shouldRetry`), so every answer says it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from mediarelay.job_records.contract import JobRecord
from mediarelay.vocabulary.errors import MediaRelayError
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import JobStatus, SpendingState

INVALID: Final = "invalid_request_error"
SERVER: Final = "server_error"
UNSUPPORTED: Final = "unsupported_parameter"
NOWHERE: Final = "unsupported_endpoint"
STILL_RUNNING: Final = "still_running"
NO_SUCH_VIDEO: Final = "video_not_found"
SEE_OTHER: Final = 303
FOUND: Final = 302
# An SDK that waits obeys up to two minutes; who retries a job of its own need not wait at all.
RETRY_SECONDS: Final = 2
BUSY_SECONDS: Final = 5


@frozen
class Answer:
    """One answer, without what every answer has."""

    status: int
    body: Any = None
    headers: Mapping[str, str] | None = None


class NotServed(MediaRelayError):
    """A request that is answered with an error.

    Attributes:
        again: Whether an SDK may send it again: that buys nothing twice.
        after: In how many seconds, where that is known.
        job: Whose failure it is; None where nothing was begun.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        type_: str = INVALID,
        param: str | None = None,
        again: bool = False,
        after: int | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.type = type_
        self.param = param
        self.again = again
        self.after = after
        self.job: str | None = None
        super().__init__(f"{code}: {message}")

    def of(self, job: str) -> NotServed:
        """Say whose failure it is. Returns itself."""
        self.job = job
        return self


def unsupported(param: str, why: str = "it is not supported here") -> NotServed:
    """Return the refusal of a field."""
    return NotServed(400, UNSUPPORTED, f"{param}: {why}", param=param)


def response(answer: Answer, request_id: str) -> dict[str, Any]:
    """Return an answer as a function URL takes it."""
    headers = {"content-type": "application/json", "x-request-id": request_id, "x-should-retry": "false"}
    headers |= answer.headers or {}
    body = "" if answer.body is None else json.dumps(answer.body, ensure_ascii=False)
    return {"statusCode": answer.status, "headers": headers, "body": body, "isBase64Encoded": False}


def refusal(refused: NotServed) -> Answer:
    """Return a refusal in OpenAI's envelope."""
    error = {"message": refused.message, "type": refused.type, "param": refused.param, "code": refused.code}
    headers = {"x-should-retry": "true" if refused.again else "false"}
    if refused.job is not None:
        headers["x-request-id"] = refused.job
    if refused.after is not None:
        headers["retry-after"] = str(refused.after)
    return Answer(refused.status, {"error": error}, headers)


@frozen
class _Meaning:
    status: int
    type: str
    code: str | None = None  # ours where there is none
    again: bool = False  # what an SDK may do where nothing is charged
    after: int | None = None


_LIMIT: Final = "rate_limit_exceeded"
_ASKED_WRONGLY: Final = _Meaning(400, INVALID)
_FULL: Final = _Meaning(429, _LIMIT, _LIMIT, again=True, after=BUSY_SECONDS)
_AWAY: Final = _Meaning(503, SERVER, again=True)
_BROKEN: Final = _Meaning(500, SERVER)
_LATE: Final = _Meaning(504, "timeout")
# By the code of a job's error; what is not here is a fault of ours or may have been charged.
_MEANINGS: Final = {
    **dict.fromkeys(
        ("invalid_request", "too_large", "unknown_kind", "not_json", "no_provider", "too_expensive"), _ASKED_WRONGLY
    ),
    "content_rejected": _Meaning(400, "image_generation_user_error", "moderation_blocked"),
    **dict.fromkeys(("idempotency_conflict", "cancelled"), _Meaning(409, INVALID)),
    "not_cancellable": _Meaning(409, INVALID),
    "not_allowed": _Meaning(403, INVALID, "permission_denied"),
    "model_gone": _Meaning(404, INVALID, "model_not_found"),
    "over_budget": _Meaning(429, "insufficient_quota", "insufficient_quota"),
    **dict.fromkeys(("throttled", "no_usable_key", "quota_exhausted", "key_rejected", "permission_denied"), _FULL),
    **dict.fromkeys(("provider_fault", "overloaded", "timeout_unsent"), _AWAY),
    **dict.fromkeys(("expired", "would_expire"), _LATE),
}


def uncharged(record: JobRecord) -> bool:
    """Tell whether nothing was bought for a job, nor may have been."""
    return not record.cost_usd and all(each.state is SpendingState.NOT_CHARGED for each in record.purchases)


def may_begin_anew(record: JobRecord) -> bool:
    """Tell whether a job has ended so that asking once more may help, and buys nothing a second time."""
    error = record.error
    return record.status.settled and error is not None and error.retryable and uncharged(record)


def failure(record: JobRecord, *, renewable: bool) -> NotServed:
    """Return the refusal for a job that ended without a result.

    `renewable` where another request would be another job: under a key that stands for an id it never is.
    """
    error, job = record.error, record.publisher_request_id
    if error is None:
        return NotServed(500, "internal_error", f"the job is {record.status}, without a result", type_=SERVER).of(job)
    again = renewable and may_begin_anew(record)
    return _refused(error.code, error.message, again=again, free=uncharged(record)).of(job)


def rejection(code: str, message: str) -> NotServed:
    """Return the refusal of what was never published, in the words of the queue."""
    return _refused(code, message, again=False, free=True)


def _refused(code: str, message: str, *, again: bool, free: bool) -> NotServed:
    meaning = _MEANINGS.get(code, _BROKEN)
    if not free and meaning.status > 429:  # noqa: PLR2004 - what is charged is no mere lack of something
        meaning = _BROKEN
    again = again and meaning.again
    return NotServed(
        meaning.status,
        meaning.code or code,
        message,
        type_=meaning.type,
        param=_param(message) if meaning.status == 400 else None,  # noqa: PLR2004 - the field of a bad request
        again=again,
        after=meaning.after if again else None,
    )


def _param(message: str) -> str | None:
    """Return the field that a rejection begins with, by its name in the SDKs."""
    name, colon, _ = message.partition(": ")
    if not colon or " " in name:
        return None
    return OUR_FIELDS.get(name, name.removeprefix("input."))


# Ours that are called otherwise there.
OUR_FIELDS: Final = {"input.text": "input", "input.format": "response_format", "input.duration": "seconds"}


# --- clips --------------------------------------------------------------------------------------------------------

_RUNNING: Final = {JobStatus.RUNNING, JobStatus.POLLING}
# Where nothing is known of the model yet.
TYPICAL_SECONDS: Final = 120.0
MOST_PROGRESS: Final = 95
# What a clip was asked for as, in the record's metadata: the record itself does not keep the request.
SECONDS: Final = "openai_seconds"
SIZE: Final = "openai_size"
MODEL: Final = "openai_model"
POLL_MILLISECONDS: Final = 2000
VIDEO: Final = "video_"


def video(record: JobRecord, id_: str, now: float, typical_seconds: float) -> dict[str, Any]:
    """Return a clip as the SDKs know it; its model is the one that was asked for."""
    error = record.error
    failed = record.status.settled and record.status is not JobStatus.SUCCEEDED
    known = {name: str(value) for name, value in record.metadata.items() if name in (SECONDS, SIZE, MODEL)}
    return {
        "id": id_,
        "object": "video",
        "created_at": record.received_at // 1000,
        "completed_at": record.settled_at // 1000 if record.settled_at and not failed else None,
        "expires_at": None,
        "status": _video_status(record.status),
        "progress": _progress(record, now, typical_seconds),
        "model": known.get(MODEL, "auto"),
        "seconds": known.get(SECONDS, ""),
        "size": known.get(SIZE, ""),
        "prompt": None,
        "remixed_from_video_id": None,
        "error": {"code": error.code, "message": error.message} if failed and error else None,
    }


def _video_status(status: JobStatus) -> str:
    if status is JobStatus.SUCCEEDED:
        return "completed"
    if status.settled:
        return "failed"
    return "in_progress" if status in _RUNNING else "queued"


def _progress(record: JobRecord, now: float, typical_seconds: float) -> int:
    if record.status is JobStatus.SUCCEEDED:
        return 100
    if record.claimed_at is None or record.status.settled:
        return 0
    return max(0, min(MOST_PROGRESS, round(100 * (now - record.claimed_at / 1000) / typical_seconds)))
