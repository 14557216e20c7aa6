"""Results from the vendors' media hosts: https, public addresses, the vendor's own domains or their redirects.

No credential is ever sent: the session knows none, and a URL with one in it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from mediarelay.http.connections import USER_AGENT, RequestsResponse, call_timeout, strict_session, unreachable
from mediarelay.http.guarded_connections import forbidden, guarded_session
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import Unreachable

REDIRECTS: Final = 5
READ_SECONDS: Final = 30.0
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_OK, _PARTIAL, _NOT_SATISFIABLE = 200, 206, 416
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class RequestsMediaFetcher:
    """Implements `long_jobs.transfer.ports.MediaFetcher`."""

    def __init__(self, clock: Clock, *, extra_hosts: Sequence[str] = (), local: bool = False) -> None:
        """`extra_hosts` are domains allowed beside each vendor's own; `local` lifts every limit, for a simulator."""
        self._clock = clock
        self._extra_hosts = tuple(extra_hosts)
        self._local = local
        self._session = strict_session() if local else guarded_session()
        self._session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})

    @contextmanager
    def open(
        self, url: str, *, hosts: Sequence[str], offset: int, version: str, deadline: float
    ) -> Iterator[RequestsMediaStream]:
        """See `long_jobs.transfer.ports.MediaFetcher.open`."""
        self._check_host(url, (*hosts, *self._extra_hosts))
        resumed = {"Range": f"bytes={offset}-", "If-Range": version} if offset and version else {}
        for _ in range(REDIRECTS + 1):
            self._check_scheme(url)
            with self._get(url, resumed, deadline) as response:
                if response.status_code not in _MOVED:
                    yield _stream(response, self._clock, deadline)
                    return
                url = urljoin(url, response.headers.get("location", ""))
        raise Unreachable("download_failed", f"more than {REDIRECTS} redirects", sent=True)

    def _get(self, url: str, headers: dict[str, str], deadline: float) -> requests.Response:
        timeout = call_timeout(self._clock, deadline, READ_SECONDS)
        try:
            return self._session.get(
                url,
                headers=headers,
                timeout=timeout,  # type: ignore[arg-type] # it takes urllib3's own as well
                stream=True,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            if forbidden(error):
                reason = "the host has an address that is not public"
                raise Unreachable("forbidden_address", reason, sent=False) from error
            raise unreachable(error) from error

    def _check_host(self, url: str, hosts: Sequence[str]) -> None:
        host = (urlsplit(url).hostname or "").rstrip(".").lower()
        if not self._local and not any(host == each or host.endswith(f".{each}") for each in hosts):
            raise Unreachable("forbidden_host", f"{host} is none of the vendor's media hosts", sent=False)

    def _check_scheme(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in (("https", "http") if self._local else ("https",)):
            raise Unreachable("forbidden_scheme", "results are fetched by https only", sent=False)
        if parts.username or parts.password:
            raise Unreachable("forbidden_address", "the address carries a credential", sent=False)


class RequestsMediaStream:
    """Implements `long_jobs.transfer.ports.MediaStream`."""

    def __init__(self, response: RequestsResponse, offset: int, size: int | None) -> None:
        self._response = response
        self.offset = offset
        self.size = size
        self.version = _strong(response.headers.get("etag", "")) or response.headers.get("last-modified", "")

    def chunks(self) -> Iterator[bytes]:
        """See `long_jobs.transfer.ports.MediaStream.chunks`."""
        return self._response.chunks()


def _stream(response: requests.Response, clock: Clock, deadline: float) -> RequestsMediaStream:
    answer = RequestsResponse(response, clock, deadline)
    if answer.status == _OK:
        length = answer.headers.get("content-length", "")
        return RequestsMediaStream(answer, 0, int(length) if length.isdecimal() else None)
    stated = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    if answer.status == _PARTIAL and stated:
        size = int(stated[2]) if stated[2].isdecimal() else None
        return RequestsMediaStream(answer, int(stated[1]), size)
    raise Unreachable("download_failed", f"status {answer.status}", sent=True)


def _strong(tag: str) -> str:
    """Return the tag if it is strong: only such a tag names one sequence of bytes."""
    return "" if tag.startswith("W/") else tag
