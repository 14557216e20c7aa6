"""Who may use the API: bearer tokens, known by their hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from mediarelay.api.tokens import Token

if TYPE_CHECKING:  # every request of the API waits for this function's start, and the ports bring all contracts along
    from mediarelay.api.ports import TokenSource
    from mediarelay.vocabulary.clock import Clock

_SCHEME = "bearer "


class AuthorizeService:
    """Checks tokens."""

    def __init__(self, source: TokenSource, *, clock: Clock) -> None:
        self._source = source
        self._clock = clock

    def holder(self, authorization: str | None) -> Token | None:
        """Return the token in an Authorization header; None when it is unknown or has expired.

        Raises:
            StoreUnavailable: The tokens cannot be read: no request is let in.
        """
        if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
            return None
        return _holder(SecretStr(authorization[len(_SCHEME) :].strip()), self._source.load(), self._clock.now())


def _holder(presented: SecretStr, tokens: Sequence[Token], now: float) -> Token | None:
    """Compare with every token, whichever matches, so that the time taken reveals nothing."""
    digest = hashlib.sha256(presented.get_secret_value().encode()).digest()
    found = None
    for token in tokens:
        same = hmac.compare_digest(digest, hashlib.sha256(token.token.get_secret_value().encode()).digest())
        if same and now < token.expires_at:
            found = token
    return found
