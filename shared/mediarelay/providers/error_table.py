"""From a vendor's error table to a Failure: body marker first, status second.

A vendor module reads its envelope into `Signals` and lists its error table as rows; everything else is here, once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.json_reading import words
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.vocabulary.wait_time import http_date_seconds, wait_seconds

UNEXPECTED_ANSWER: Final = "unexpected_answer"
WRONG_CONTENT_TYPE: Final = "wrong_content_type"

# What to make of an answer none of whose markers is known: the status alone, and therefore a guess.
_BY_STATUS: Final[Mapping[int, Outcome]] = {
    401: Outcome.KEY_REJECTED,
    402: Outcome.QUOTA_EXHAUSTED,
    403: Outcome.PERMISSION_DENIED,
    408: Outcome.TIMEOUT_SENT,
    409: Outcome.PROVIDER_FAULT,
    425: Outcome.PROVIDER_FAULT,
    429: Outcome.THROTTLED,
    504: Outcome.TIMEOUT_SENT,
    529: Outcome.OVERLOADED,
}
_CODE: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,64}")
# Only here does time alone help; a reset header beside a spent balance would have us knock again in a second.
_WAITING_HELPS: Final = frozenset({Outcome.THROTTLED, Outcome.OVERLOADED, Outcome.PROVIDER_FAULT})


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a vendor's error table. It matches when everything it names agrees; what it leaves out is free.

    Attributes:
        outcome: What it means here.
        codes: Any of these in the vendor's code.
        types: Any of these in the vendor's error type.
        says: A piece of the message, in lower case.
        statuses: Any of these HTTP statuses.
        header: A response header (lower-case name) and its value.
        named: Our short name, for an answer in which the vendor gives no code.
        spreads: See `Failure.spreads`.
        certain: See `Failure.certain`; False where the row is itself only a likely reading.
    """

    outcome: Outcome
    codes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    says: str = ""
    statuses: tuple[int, ...] = ()
    header: tuple[str, str] | None = None
    named: str | None = None
    spreads: bool = True
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Signals:
    """What an envelope says, in the vendor's own terms.

    Attributes:
        codes: Machine-readable markers, the most telling first.
        type: The family of the error.
        message: For people.
        body: The parsed JSON, for fields that name a wait.
        limit: What a refusal for the rate says of the limit, where the vendor says it in its body.
    """

    codes: tuple[str, ...] = ()
    type: str = ""
    message: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    limit: Limit | None = None


def classify(table: Sequence[Row], signals: Signals, reply: HttpReply) -> Failure:
    """The failure an answer without media stands for, whatever its status; never raises."""
    row = _find(table, signals, reply)
    if row is not None:
        return _failure(row, signals, reply)
    if 200 <= reply.status < 300:  # noqa: PLR2004 - the 2xx range
        return _failure(_unusable(reply), Signals(message=signals.message, body=signals.body), reply)
    return _failure(Row(fallback(reply.status), certain=False), signals, reply)


def fallback(status: int) -> Outcome:
    """The outcome of an unknown answer. Any other 4xx is the caller's; whatever is left is the provider's."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Outcome.INVALID_REQUEST if 400 <= status < 500 else Outcome.PROVIDER_FAULT  # noqa: PLR2004 - the 4xx range


def _unusable(reply: HttpReply) -> Row:
    """A success in which there is nothing to deliver, such as the page of a proxy."""
    html = "html" in content_type(reply.headers)
    return Row(Outcome.PROVIDER_FAULT, named=WRONG_CONTENT_TYPE if html else UNEXPECTED_ANSWER)


def content_type(headers: Mapping[str, str]) -> str:
    """The media type without parameters, in lower case; empty when none is given."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _find(table: Sequence[Row], signals: Signals, reply: HttpReply) -> Row | None:
    """The first row for the most telling code that is known, else the first that asks for no code."""
    for code in signals.codes:
        for row in table:
            if code in row.codes and _agrees(row, signals, reply):
                return row
    return next((row for row in table if not row.codes and _agrees(row, signals, reply)), None)


def _agrees(row: Row, signals: Signals, reply: HttpReply) -> bool:
    return (
        (not row.types or signals.type in row.types)
        and row.says in signals.message.lower()
        and (not row.statuses or reply.status in row.statuses)
        and (row.header is None or reply.headers.get(row.header[0], "").lower() == row.header[1])
    )


def _failure(row: Row, signals: Signals, reply: HttpReply) -> Failure:
    markers = (marker for marker in (*signals.codes, row.named, signals.type) if marker and _CODE.fullmatch(marker))
    return Failure(
        outcome=row.outcome,
        code=next(markers, f"http_{reply.status}"),
        message=words(signals.message, reply.body),
        status=reply.status,
        wait_seconds=_wait(signals, reply) if row.outcome in _WAITING_HELPS else None,
        spreads=row.spreads,
        certain=row.certain,
        limit=signals.limit if row.outcome is Outcome.THROTTLED else None,
    )


def _wait(signals: Signals, reply: HttpReply) -> float | None:
    """Dates are read against the answer's own `date`: it is the clock they were written by, and needs none of ours."""
    now = http_date_seconds(reply.headers.get("date", ""))
    return wait_seconds(reply.headers, signals.body, signals.message, now=math.nan if now is None else now)
