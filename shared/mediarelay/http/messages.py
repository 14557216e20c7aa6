"""Requests and answers as plain values."""

from __future__ import annotations

import json as json_text
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import IO, Any, Final

from mediarelay.vocabulary.frozen import frozen

# Error bodies are a few KB. A page of some proxy is worth no more memory than it takes to read its words.
ERROR_PAGE_BYTES: Final = 64 * 1024
_PIECE_BYTES: Final = 64 * 1024


@frozen
class HttpRequest:
    """A request. Until it is signed it holds no credential, so that it can be logged, compared and replayed.

    Attributes:
        method: HTTP method.
        path: Path below the base URL, beginning with a slash; already percent-encoded.
        json: The body; an empty one is not sent at all.
        params: Query parameters.
        headers: Extra headers; an authorization only once the request is signed.
        read_timeout_seconds: How long to wait between bytes before the answer is given up.
        base_url: Where it goes; empty until that is known, which is before it is signed.
        guarded: Whether it goes to a public address or nowhere: its host was not chosen by the operator alone.
    """

    method: str
    path: str
    json: Mapping[str, Any]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    read_timeout_seconds: float = 60.0
    base_url: str = ""
    guarded: bool = False

    @property
    def url(self) -> str:
        """The address without the query."""
        return self.base_url.rstrip("/") + self.path

    @property
    def body(self) -> bytes | None:
        """The very bytes that are sent, which a signature may have to cover; None when there are none.

        Raises:
            ValueError: The body holds a number that JSON does not know, such as NaN.
        """
        return json_text.dumps(self.json, allow_nan=False).encode() if self.json else None

    def at(self, base_url: str) -> HttpRequest:
        """Return the request with its address."""
        return replace(self, base_url=base_url)

    def with_headers(self, headers: Mapping[str, str]) -> HttpRequest:
        """Return the request with these headers added."""
        return replace(self, headers={**self.headers, **headers})


@frozen
class Stretch:
    """Bytes that lie in a file, from `start` on, which is closed once the answer has been taken in.

    Attributes:
        sha256: Of all of them, hexadecimal; empty where nobody has read them yet.
    """

    file: IO[bytes] = field(repr=False, compare=False)
    start: int
    size: int
    sha256: str = ""

    def __len__(self) -> int:
        return self.size

    def opening(self, count: int) -> bytes:
        """Return the first *count* bytes, or all when there are fewer."""
        self.file.seek(self.start)
        return self.file.read(min(count, self.size))

    def part(self, start: int, end: int) -> Stretch:
        """Return the bytes from *start* to *end*, as far as there are any."""
        first, last = min(start, self.size), min(end, self.size)
        return Stretch(self.file, self.start + first, max(0, last - first))

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it, a piece at a time."""
        for at in range(0, self.size, _PIECE_BYTES):
            self.file.seek(self.start + at)
            yield self.file.read(min(_PIECE_BYTES, self.size - at))


@frozen
class HttpReply:
    """An answer.

    Attributes:
        status: HTTP status.
        headers: With lower-case names.
        body: The whole body, of an error page its beginning, or None for a success whose body is media, which is
            streamed and never held.
        files: What long base64 in the body says, by the text that stands in its place.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    files: Mapping[str, Stretch] = field(default_factory=dict)
