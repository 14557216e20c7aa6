"""HTTP over requests, with one session per thread, a deadline over the whole call, and honest errors.

What keeps an answer from another's request, and a call to its deadline, is in `http.connections`.

`Unreachable.sent` is the one thing that matters about money: only a failure to connect proves that nothing was sent.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3

from mediarelay.http.connections import CallTimeout, strict_session
from mediarelay.http.messages import ERROR_PAGE_BYTES, HttpRequest
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import Unreachable

CHUNK_BYTES: Final = 64 * 1024
CONNECT_SECONDS: Final = 5.0
# A frozen worker wakes with sockets that a load balancer has long forgotten; a request written into one is lost, and
# may not be repeated. Load balancers keep idle connections for a minute or more, so half of that is safe.
IDLE_SECONDS: Final = 30.0
USER_AGENT: Final = "mediarelay/0.1"


class RequestsHttp:
    """Implements `http.ports.HttpClient`. Thread-safe."""

    def __init__(self, clock: Clock, *, allow_plain_http: bool) -> None:
        """`allow_plain_http` is for the local stage, where a simulator stands in for the vendors."""
        self._clock = clock
        self._schemes = ("https", "http") if allow_plain_http else ("https",)
        self._local = threading.local()

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[RequestsResponse]:
        """See `http.ports.HttpClient.send`."""
        try:
            body = request.body
        except ValueError as error:
            raise Unreachable("unusable_body", f"the body is no JSON ({error})", sent=False) from None
        response = self._open(
            request.method,
            request.url,
            deadline=deadline,
            read_timeout=request.read_timeout_seconds,
            headers={**({} if body is None else {"content-type": "application/json"}), **request.headers},
            params=request.params,
            data=body,
        )
        with response:
            yield RequestsResponse(response, self._clock, deadline)

    @contextmanager
    def fetch(self, url: str, *, deadline: float) -> Iterator[RequestsResponse]:
        """See `http.ports.HttpClient.fetch`."""
        with self._open("GET", url, deadline=deadline, read_timeout=30.0) as response:
            yield RequestsResponse(response, self._clock, deadline)

    def _open(self, method: str, url: str, *, deadline: float, read_timeout: float, **how: object) -> requests.Response:
        if urlsplit(url).scheme not in self._schemes:
            raise Unreachable("connect_failed", f"only {' or '.join(self._schemes)} is allowed", sent=False)
        timeout = call_timeout(self._clock, deadline, read_timeout)
        try:
            return self._session().request(
                method,
                url,
                timeout=timeout,  # type: ignore[arg-type] # it takes urllib3's own as well
                stream=True,
                allow_redirects=False,
                **how,  # type: ignore[arg-type]
            )
        except requests.RequestException as error:
            raise unreachable(error) from error

    def _session(self) -> requests.Session:
        now = self._clock.now()
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None or now - self._local.used_at > IDLE_SECONDS:
            if session is not None:
                session.close()
            session = self._local.session = _new_session()
        self._local.used_at = now
        return session


class RequestsResponse:
    """Implements `http.ports.HttpResponse`."""

    def __init__(self, response: requests.Response, clock: Clock, deadline: float) -> None:
        self._response = response
        self._clock = clock
        self._deadline = deadline
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._response.status_code

    def chunks(self) -> Iterator[bytes]:
        """See `http.ports.HttpResponse.chunks`."""
        try:
            for chunk in self._response.iter_content(CHUNK_BYTES):
                if self._clock.now() > self._deadline:
                    raise Unreachable("read_timeout", "the answer dripped past the deadline", sent=True)
                yield chunk
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            if error.args and isinstance(error.args[0], urllib3.exceptions.ReadTimeoutError):
                raise Unreachable("read_timeout", "the answer did not come in time", sent=True) from error
            raise Unreachable("truncated_body", f"the answer broke off ({type(error).__name__})", sent=True) from error

    def read(self, limit: int) -> bytes:
        """See `http.ports.HttpResponse.read`."""
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if not self._response.ok and len(body) > ERROR_PAGE_BYTES:
                return bytes(body[:ERROR_PAGE_BYTES])
            if len(body) > limit:
                raise Unreachable("too_large", f"the answer exceeds {limit} bytes", sent=True)
        return bytes(body)


def _new_session() -> requests.Session:
    session = strict_session()
    session.headers["User-Agent"] = USER_AGENT
    return session


def call_timeout(clock: Clock, deadline: float, read_timeout: float) -> CallTimeout:
    """Returns the timeouts of a call that ends at *deadline*.

    Raises:
        Unreachable: There is no time left.
    """
    left = deadline - clock.now()
    if left <= 0:
        raise Unreachable("connect_timeout", "no time left for the call", sent=False)
    connect = min(CONNECT_SECONDS, left)
    return CallTimeout(connect=connect, read=min(read_timeout, left), deadline=deadline, now=clock.now)


def unreachable(error: requests.RequestException) -> Unreachable:
    """Translate a failed request, with what it says about money. `str(error)` holds the URL and is never shown."""
    name = type(error).__name__
    if isinstance(error, requests.ConnectTimeout):
        return Unreachable("connect_timeout", "no connection within the time allowed", sent=False)
    if isinstance(error, requests.ReadTimeout):
        return Unreachable("read_timeout", "no answer within the time allowed", sent=True)
    if _never_connected(error):
        return Unreachable("connect_failed", f"no connection ({name})", sent=False)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return Unreachable("connect_failed", f"unusable address ({name})", sent=False)
    return Unreachable("connection_lost", f"the connection broke off ({name})", sent=True)


def _never_connected(error: requests.RequestException) -> bool:
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    if isinstance(reason, urllib3.exceptions.SSLError) and reason.args:
        # A refused certificate ends the handshake; any other TLS error may have come after the request was written.
        return isinstance(reason.args[0], ssl.SSLCertVerificationError)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)
