"""From a vendor's error table to a Failure: its markers first, then its words, the status last.

A vendor module reads its envelope into `Signals` and lists its error table as rows; everything else is here, once. A
*broad* row is one for a family, such as OpenAI's `invalid_request_error`: vendors put an unpaid bill and a bad key in
there too, so the words beside it count first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final

from mediarelay.http.edge_pages import CHALLENGE, is_page, of_edge
from mediarelay.http.messages import HttpReply
from mediarelay.providers.answers import http_date_seconds, wait_seconds
from mediarelay.providers.json_reading import json_object, mapping, text, words
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.vocabulary.refusal_words import refused

UNEXPECTED_ANSWER: Final = "unexpected_answer"
WRONG_CONTENT_TYPE: Final = "wrong_content_type"

# For an answer without a known marker: the status alone, and therefore a guess.
_BY_STATUS: Final[Mapping[int, Outcome]] = {
    401: Outcome.KEY_REJECTED,
    402: Outcome.QUOTA_EXHAUSTED,
    403: Outcome.PERMISSION_DENIED,
    408: Outcome.TIMEOUT_SENT,
    409: Outcome.PROVIDER_FAULT,
    425: Outcome.PROVIDER_FAULT,
    429: Outcome.THROTTLED,
    503: Outcome.OVERLOADED,
    504: Outcome.TIMEOUT_SENT,
    529: Outcome.OVERLOADED,
}
_MESSAGES: Final = ("message", "error", "detail", "msg", "Message", "error_message", "title", "description", "reason")
_CODE: Final = re.compile(r"[A-Za-z0-9_.:+-]{1,64}")
# Only here does time alone help; a reset header beside a spent balance would make us call again in a second.
_WAITING_HELPS: Final = frozenset({Outcome.THROTTLED, Outcome.OVERLOADED, Outcome.PROVIDER_FAULT})


@frozen
class Row:
    """One line of a vendor's error table. It matches when everything that it names agrees; the rest may be anything.

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
        of_account: See `Failure.of_account`.
        broad: Whether its codes are those of a family; a row without codes and words always is of one.
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
    of_account: bool = False
    broad: bool = False

    @property
    def specific(self) -> bool:
        """Whether it is read before the words."""
        return bool(self.codes or self.says) and not self.broad


@frozen
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
    """Classify an answer without media, whatever its status; never raises."""
    signals = signals if signals.codes or signals.type or signals.message else _foreign(reply)
    row = _find(table, signals, reply)
    if row is None or not row.specific:
        row = _by_words(signals, reply) or row or _unmarked(signals, reply)
    if row.outcome is Outcome.UNUSABLE_DELIVERY and not row.codes:
        signals = Signals(message=signals.message, body=signals.body)  # no code of the vendor's says what is missing
    return _failure(row, signals, reply)


def unanswered(table: Sequence[Row], signals: Signals, reply: HttpReply) -> Failure:
    """The same for an answer to a mere question about a job: nothing was bought by asking."""
    failure = classify(table, signals, reply)
    paid = failure.outcome is Outcome.UNUSABLE_DELIVERY
    return replace(failure, outcome=Outcome.PROVIDER_FAULT) if paid else failure


def fallback(status: int) -> Outcome:
    """The outcome of an unknown answer: a paid success without media; any other 4xx is a refusal of this provider's
    alone; whatever is left is the provider's fault.
    """
    if 200 <= status < 300:  # noqa: PLR2004 - the 2xx range
        return Outcome.UNUSABLE_DELIVERY
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Outcome.INVALID_REQUEST if 400 <= status < 500 else Outcome.PROVIDER_FAULT  # noqa: PLR2004 - the 4xx range


def _by_words(signals: Signals, reply: HttpReply) -> Row | None:
    outcome = refused(reply.status, signals.message, (*signals.codes, signals.type))
    return None if outcome is None else Row(outcome, named=f"said_{outcome}")


def _foreign(reply: HttpReply) -> Signals:
    """The words of an envelope that is not the vendor's usual one: its gateway's, or that of another version."""
    body = json_object(reply.body)
    message = next((found for name in _MESSAGES if (found := text(body.get(name)))), "")
    nested = mapping(body.get("error"))
    return Signals(message=message or text(nested.get("message")), body=body)


def _unmarked(signals: Signals, reply: HttpReply) -> Row:
    """An answer in which nothing is known: a guess by who wrote it and by its status."""
    if 200 <= reply.status < 300:  # noqa: PLR2004 - the 2xx range
        return Row(Outcome.UNUSABLE_DELIVERY, named=WRONG_CONTENT_TYPE if is_page(reply) else UNEXPECTED_ANSWER)
    of_network = of_edge(reply, has_envelope=bool(signals.codes or signals.type or signals.message))
    if of_network is not None:
        return Row(of_network, named=CHALLENGE if reply.status < 500 else None, certain=False)  # noqa: PLR2004 - 5xx
    return Row(fallback(reply.status), certain=False)


def _find(table: Sequence[Row], signals: Signals, reply: HttpReply) -> Row | None:
    """Return the first row for the most telling code that is known, else the first that needs no code."""
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
        of_account=row.of_account,
        limit=signals.limit if row.outcome is Outcome.THROTTLED else None,
    )


def _wait(signals: Signals, reply: HttpReply) -> float | None:
    """Read the wait; dates relative to the answer's own `date`, the clock by which they were written."""
    now = http_date_seconds(reply.headers.get("date", ""))
    return wait_seconds(reply.headers, signals.body, signals.message, now=math.nan if now is None else now)
