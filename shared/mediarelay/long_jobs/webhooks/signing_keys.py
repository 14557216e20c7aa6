"""A vendor's public keys, fetched from its JWKS document and kept for a while."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from mediarelay.http.messages import HttpRequest
from mediarelay.http.ports import HttpClient
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable

logger = logging.getLogger(__name__)

KEPT_SECONDS: Final = 3600.0
# Any caller can send a signature that no key verifies; that makes us ask for new keys only this often.
RENEWED_SECONDS: Final = 60.0
# Without any key every delivery fails, and comes again; the document is requested again after this long.
RETRIED_SECONDS: Final = 1.0
FETCH_SECONDS: Final = 4.0
DOCUMENT_BYTES: Final = 64 * 1024


class WebhookKeys:
    """The vendor's keys. One instance per worker."""

    def __init__(self, http: HttpClient, url: str, parse: Callable[[bytes], Sequence[bytes]], *, clock: Clock) -> None:
        """*url* is the document's; *parse* reads its keys."""
        self._http = http
        self._url = url
        self._parse = parse
        self._clock = clock
        self._keys: Sequence[bytes] = ()
        self._asked_at: float | None = None

    def known(self) -> Sequence[bytes]:
        """Return the keys.

        Raises:
            StoreUnavailable: None are known, and the document cannot be read.
        """
        if self._age() >= (KEPT_SECONDS if self._keys else RETRIED_SECONDS):
            self._fetch()
        if not self._keys:
            raise StoreUnavailable("webhook keys", "be read", "no usable document")
        return self._keys

    def renewed(self) -> Sequence[bytes]:
        """Return the vendor's keys as of now; none that are new for a while after the last request."""
        if self._age() < RENEWED_SECONDS:
            return ()
        self._fetch()
        return self._keys

    def _age(self) -> float:
        return math.inf if self._asked_at is None else self._clock.now() - self._asked_at

    def _fetch(self) -> None:
        """Fetch the document. Old keys stay when it cannot be read."""
        self._asked_at = self._clock.now()
        parts = urlsplit(self._url)
        request = HttpRequest("GET", parts.path or "/", {}, read_timeout_seconds=FETCH_SECONDS)
        request = request.at(f"{parts.scheme}://{parts.netloc}")
        try:
            deadline = self._clock.now() + FETCH_SECONDS
            with self._http.send(request, deadline=deadline) as answer:
                found = self._parse(answer.read(DOCUMENT_BYTES)) if answer.status == 200 else ()  # noqa: PLR2004 - OK
        except Unreachable as error:
            logger.warning("webhook keys not fetched", extra={"reason": error.code})
            return
        self._keys = found or self._keys
