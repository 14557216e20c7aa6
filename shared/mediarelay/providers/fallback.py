"""What to make of an answer none of whose markers is known: the status alone, and therefore a guess."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mediarelay.vocabulary.outcome import Outcome

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


def fallback(status: int) -> Outcome:
    """The outcome of an unknown answer. Any other 4xx is the caller's; whatever is left is the provider's."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Outcome.INVALID_REQUEST if 400 <= status < 500 else Outcome.PROVIDER_FAULT  # noqa: PLR2004 - the 4xx range
