"""Kling's error table. The HTTP status says little there: an account in arrears is a 429, like a rate limit.

Envelope: `{"code": 1303, "message": "…", "request_id": "…"}`; code 0 is success.
"""

from __future__ import annotations

from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.error_table import Row, Signals
from mediarelay.providers.json_reading import json_object, mapping, text
from mediarelay.vocabulary.outcome import Outcome

NOT_FOUND: Final = "1203"
# The token is not yet or no longer valid: a matter of clocks, mended by signing another.
STALE_TOKEN: Final = frozenset({"1003", "1004"})

KLING_ERRORS: Final = (
    Row(Outcome.KEY_REJECTED, codes=("1000", "1001", "1002")),
    # After a second token was refused too, our clock or the key is wrong; which of them is a guess.
    Row(Outcome.KEY_REJECTED, codes=("1003", "1004"), certain=False),
    Row(Outcome.QUOTA_EXHAUSTED, codes=("1100", "1101", "1102")),
    Row(Outcome.PERMISSION_DENIED, codes=("1103",)),
    # The task of our own id is there, and paid: it is looked up, like one whose answer was lost.
    Row(Outcome.TIMEOUT_SENT, codes=("1200", "1201"), says="already exist"),
    Row(Outcome.TIMEOUT_SENT, codes=("1200", "1201"), says="duplicate"),
    Row(Outcome.INVALID_REQUEST, codes=("1200", "1201", "1202"), broad=True),
    Row(Outcome.MODEL_GONE, codes=(NOT_FOUND,)),
    Row(Outcome.CONTENT_REJECTED, codes=("1300", "1301")),
    Row(Outcome.THROTTLED, codes=("1302", "1303")),
    Row(Outcome.PERMISSION_DENIED, codes=("1304",)),
    # Nothing says that no task was made, and the task can be looked up by our own id: better ask than pay twice.
    Row(Outcome.TIMEOUT_SENT, codes=("5000", "5001", "5002")),
    Row(Outcome.TIMEOUT_SENT, statuses=(500, 502, 503, 504), certain=False),
)

# The same as answers to a question, where nothing can have been bought.
KLING_POLL_ERRORS: Final = (
    Row(Outcome.PROVIDER_FAULT, codes=("5000", "5002")),
    Row(Outcome.OVERLOADED, codes=("5001",)),
    *(row for row in KLING_ERRORS if row.outcome is not Outcome.TIMEOUT_SENT),
    Row(Outcome.PROVIDER_FAULT, statuses=(500, 502, 503, 504), certain=False),
)


def kling_signals(reply: HttpReply) -> Signals:
    """The envelope; empty signals when the body is something else, or when it reports success."""
    body = json_object(reply.body)
    code = body.get("code")
    known = isinstance(code, int) and not isinstance(code, bool) and code != 0
    message = text(body.get("message")) or text(mapping(body.get("data")).get("task_status_msg"))
    return Signals(codes=(str(code),) if known else (), message=message, body=body)
