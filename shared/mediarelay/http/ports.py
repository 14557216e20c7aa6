"""HTTP, as a port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.http.messages import HttpRequest


class HttpResponse(Protocol):
    """An answer whose body has not been read."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """With lower-case names."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes. Raises `Unreachable` when it breaks off or runs past the deadline."""

    def read(self, limit: int) -> bytes:
        """Read the whole body. Raises `Unreachable` (`too_large`) beyond *limit* bytes.

        Of an answer with a status of 400 or above no more than `http.messages.ERROR_PAGE_BYTES` are read.
        """


class HttpClient(Protocol):
    """HTTP. Every call raises `Unreachable`, which tells whether the request may have been sent."""

    def send(self, request: HttpRequest, *, deadline: float) -> AbstractContextManager[HttpResponse]:
        """Send a request that has its address and its credential; *deadline* (unix seconds) bounds the call."""

    def fetch(self, url: str, *, deadline: float) -> AbstractContextManager[HttpResponse]:
        """GET a media file, without credentials, from a public address."""
