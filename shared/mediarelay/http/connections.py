"""Connections that give an answer to the request it belongs to, and end with the deadline of the call.

HTTP/1.1 matches answers to requests by their order alone: one answer too many on a connection, and every later request
receives the answer of the one before. So a connection carries another request only when its last exchange was without
fault and nothing lies in it, be it in the kernel, in the buffer of TLS or in that of the reader. What no client can
tell is an answer too many that first arrives while the next request is under way.

A timeout of a socket is for a single read, and an answer that drips can take as many of them as it likes. Here the time
left of the whole call bounds each step: the addresses tried, the handshake, each write and each read.

The client has one session per thread. `Unreachable.sent` is the one thing that matters about money: only a failure to
connect proves that nothing was sent.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, cast
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import allowed_gai_family, create_connection

from mediarelay.http.messages import ERROR_PAGE_BYTES, HttpRequest
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import Unreachable

# A write over TLS has a timeout for each of its records, and a record holds so much.
RECORD_BYTES: Final = 16 * 1024


class CallTimeout(urllib3.Timeout):
    """Timeouts for the steps of a call, and what is left of the call as a whole."""

    def __init__(self, *, connect: float, read: float, deadline: float, now: Callable[[], float]) -> None:
        """*read* is for each read; *deadline* is when the call ends, by the clock of `now`."""
        super().__init__(connect=connect, read=read)
        self.each_read = read
        self.to_connect = connect
        self.deadline = deadline
        self.now = now

    @property
    def is_over(self) -> bool:
        """Whether the call has no time left."""
        return self.now() >= self.deadline

    def for_step(self) -> float:
        """Returns how long a single read or write may take.

        Raises:
            TimeoutError: The call is over.
        """
        return _positive(min(self.each_read, self.deadline - self.now()))

    def clone(self) -> CallTimeout:
        """See `urllib3.Timeout.clone`."""
        return CallTimeout(connect=self.to_connect, read=self.each_read, deadline=self.deadline, now=self.now)


class _TimedReader(io.RawIOBase):
    """What a socket receives, with the time left of the call as the timeout of each read."""

    def __init__(self, sock: socket.socket, received: io.RawIOBase, call: CallTimeout) -> None:
        self._sock = sock
        self._received = received
        self._call = call
        self.ended = False
        self.stopped = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.stopped:
            return None
        self._sock.settimeout(self._call.for_step())
        count = self._received.readinto(buffer)
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._received.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """The final answer to a request, behind any interim ones. `regular`: nothing about it was out of order."""

    def __init__(self, sock: socket.socket, call: CallTimeout, method: str | None) -> None:
        super().__init__(sock, method=method)
        self._reader = _TimedReader(sock, self.fp.detach(), call)
        self.fp = io.BufferedReader(self._reader)
        self._call = call
        self.regular = True

    def begin(self) -> None:
        """Read the head. `http.client` takes each 1xx but 100 for the answer itself."""
        super().begin()
        while self.status < http.HTTPStatus.OK:
            self.regular = False
            self.headers = self.msg = None  # type: ignore[assignment] # which is how it knows that it has not begun
            super().begin()
        if self._reader.ended:
            raise http.client.RemoteDisconnected("the answer broke off in its head")
        coding, length = (self.headers.get(name) for name in ("transfer-encoding", "content-length"))
        if coding is not None and (not self.chunked or length is not None):
            self.regular = False

    def _close_conn(self) -> None:
        self._reader.stopped = True
        # When an answer came too late, more of it may still be on its way.
        if self.fp.peek(1) or self._call.is_over:
            self.regular = False
        super()._close_conn()  # type: ignore[misc] # typeshed does not list it


class StrictConnection(HTTPConnection):
    """A connection that keeps to the time of the call, and knows whether it may carry another request."""

    _call = CallTimeout(connect=1.0, read=1.0, deadline=math.inf, now=lambda: 0.0)
    _answer: _Answer | None = None

    def start_call(self, call: CallTimeout) -> None:
        """Set the time of the request that comes next."""
        self._call = call

    @property
    def is_connected(self) -> bool:
        """Whether it may carry another request: what the pool asks before it hands a connection out."""
        in_order = self._answer is None or (self._answer.isclosed() and self._answer.regular)
        # What TLS has deciphered lies in a buffer of its own, and the socket is not readable for it.
        undelivered = getattr(self.sock, "pending", lambda: 0)()
        return in_order and not undelivered and super().is_connected

    def connect(self) -> None:
        """Connect, the handshake included, within the time for connecting."""
        self._answer = None
        try:
            super().connect()
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(self, "no connection within the time allowed") from error

    def addresses(self) -> list[str]:
        """The addresses that may be connected to, in the order in which to try them."""
        found = socket.getaddrinfo(self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM)
        return list(dict.fromkeys(str(each[4][0]) for each in found))

    def _new_conn(self) -> socket.socket:
        ends = self._call.now() + self._call.to_connect

        def wait() -> float:
            return _positive(ends - self._call.now())

        try:
            sock = self._first_of(self.addresses(), wait)
            sock.settimeout(wait())
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(self, "no connection within the time allowed") from error
        except OSError as error:
            raise urllib3.exceptions.NewConnectionError(self, "no connection") from error
        return sock

    def _first_of(self, addresses: list[str], wait: Callable[[], float]) -> socket.socket:
        failure: OSError = OSError("the host has no address")
        for address in addresses:
            try:
                return create_connection((address, self.port), wait(), socket_options=self.socket_options)
            except OSError as error:
                failure = error
        raise failure

    def send(self, data: Any) -> None:
        """Send bytes, record by record, each within the time that is left."""
        if self.sock is None:
            self.connect()
        for start in range(0, len(data), RECORD_BYTES):
            self.sock.settimeout(self._call.for_step())
            super().send(data[start : start + RECORD_BYTES])

    def response_class(  # type: ignore[override] # http.client only calls it
        self, sock: socket.socket, method: str | None = None
    ) -> _Answer:
        """Begin to read the answer: what `http.client` calls in place of its own class."""
        self._answer = _Answer(sock, self._call, method)
        return self._answer


class StrictHttpsConnection(StrictConnection, HTTPSConnection):
    """The same over TLS."""


class _StrictPool(HTTPConnectionPool):
    ConnectionCls = StrictConnection

    def _make_request(self, conn: Any, *args: Any, **fields: Any) -> Any:
        conn.start_call(fields["timeout"])
        return super()._make_request(conn, *args, **fields)


class StrictHttpsPool(_StrictPool, HTTPSConnectionPool):
    """Strict connections over TLS."""

    ConnectionCls = StrictHttpsConnection


class _Adapter(HTTPAdapter):
    def __init__(self, pools: Mapping[str, type[HTTPConnectionPool]]) -> None:
        self._pools = pools
        super().__init__(pool_connections=8, pool_maxsize=2, max_retries=0)

    def init_poolmanager(self, *args: Any, **fields: Any) -> None:
        super().init_poolmanager(*args, **fields)
        self.poolmanager.pool_classes_by_scheme = dict(self._pools)


def strict_session(pools: Mapping[str, type[HTTPConnectionPool]] | None = None) -> requests.Session:
    """A session that speaks the schemes of *pools* and no other, and takes nothing from the environment.

    A netrc entry would silently replace a key's authorization, and a cookie set for one key would go out with the next.
    """
    known = pools or {"https": StrictHttpsPool, "http": _StrictPool}
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.adapters.clear()
    for scheme in known:
        session.mount(f"{scheme}://", _Adapter(known))
    return session


def _positive(seconds: float) -> float:
    """The seconds; none left is a timeout."""
    if seconds <= 0:
        raise TimeoutError("the time of the call is over")
    return seconds


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
        self._local_stage = allow_plain_http
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
            guarded=request.guarded,
            headers={**({} if body is None else {"content-type": "application/json"}), **request.headers},
            params=request.params,
            data=body,
        )
        with response:
            yield RequestsResponse(response, self._clock, deadline)

    @contextmanager
    def fetch(self, url: str, *, deadline: float) -> Iterator[RequestsResponse]:
        """See `http.ports.HttpClient.fetch`."""
        with self._open("GET", url, deadline=deadline, read_timeout=30.0, guarded=not self._local_stage) as response:
            yield RequestsResponse(response, self._clock, deadline)

    def _open(
        self, method: str, url: str, *, deadline: float, read_timeout: float, guarded: bool = False, **how: object
    ) -> requests.Response:
        if urlsplit(url).scheme not in self._schemes:
            raise Unreachable("connect_failed", f"only {' or '.join(self._schemes)} is allowed", sent=False)
        timeout = call_timeout(self._clock, deadline, read_timeout)
        try:
            return self._session(guarded=guarded).request(
                method,
                url,
                timeout=timeout,  # type: ignore[arg-type] # it takes urllib3's own as well
                stream=True,
                allow_redirects=False,
                **how,  # type: ignore[arg-type]
            )
        except requests.RequestException as error:
            raise _named(unreachable(error), error, guarded=guarded) from error

    def _session(self, *, guarded: bool = False) -> requests.Session:
        """This thread's; one that is guarded speaks to public addresses only, whatever a vendor's answer names."""
        now, name = self._clock.now(), "guarded" if guarded else "plain"
        session, used_at = getattr(self._local, name, (None, 0.0))
        if session is None or now - used_at > IDLE_SECONDS:
            if session is not None:
                session.close()
            session = _new_guarded_session() if guarded else _new_session()
        setattr(self._local, name, (session, now))
        return cast("requests.Session", session)


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


def _named(failure: Unreachable, error: requests.RequestException, *, guarded: bool) -> Unreachable:
    """Returns the failure; one of a host that leads within by a name of its own."""
    if guarded:
        from mediarelay.http.guarded_connections import forbidden  # noqa: PLC0415 # it is made of this module

        if forbidden(error):
            return Unreachable("forbidden_address", "the host has an address that is not public", sent=False)
    return failure


def _new_guarded_session() -> requests.Session:
    from mediarelay.http.guarded_connections import guarded_session  # noqa: PLC0415 # it is made of this module

    session = guarded_session()
    session.headers["User-Agent"] = USER_AGENT
    return session


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
