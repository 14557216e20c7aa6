"""Cloud Text-to-Speech's error table: Google's envelope, which Gemini's module reads, and what differs from Gemini.

Source: answers recorded in 2025 and 2026.
"""

from __future__ import annotations

from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.error_table import Row, classify
from mediarelay.providers.gemini.errors import GEMINI_ERRORS, gemini_signals
from mediarelay.vocabulary.outcome import Failure, Outcome

GOOGLE_ERRORS: Final = (
    # What the caller wrote: a voice that is none, a text of too many bytes, a sentence without an end.
    Row(Outcome.INVALID_REQUEST, codes=("INVALID_ARGUMENT",), says="does not exist. is it misspelled"),
    Row(Outcome.INVALID_REQUEST, codes=("INVALID_ARGUMENT",), says="longer than the limit of"),
    Row(Outcome.INVALID_REQUEST, codes=("INVALID_ARGUMENT",), says="sentences that are too long"),
    # Its quotas are of a minute, and say so; those of a day are an operator's own.
    Row(Outcome.QUOTA_EXHAUSTED, codes=("RESOURCE_EXHAUSTED",), says="per day"),
    Row(Outcome.THROTTLED, codes=("RESOURCE_EXHAUSTED",), says="quota exceeded for quota metric"),
    # Nothing is addressed by its path but the service itself.
    Row(Outcome.INVALID_REQUEST, codes=("NOT_FOUND",)),
    *GEMINI_ERRORS,
)


def google_failure(reply: HttpReply) -> Failure:
    """Returns what an answer without speech means."""
    return classify(GOOGLE_ERRORS, gemini_signals(reply), reply)
