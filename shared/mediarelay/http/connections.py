"""Connections that give an answer to the request it belongs to, and end with the deadline of the call.

HTTP/1.1 matches answers to requests by their order alone: one answer too many on a connection, and every later request
receives the answer of the one before. So a connection carries another request only when its last exchange was without
fault and nothing lies in it, be it in the kernel, in the buffer of TLS or in that of the reader. What no client can
tell is an answer too many that first arrives while the next request is under way.

A timeout of a socket is for a single read, and an answer that drips can take as many of them as it likes. Here the time
left of the whole call bounds each step: the addresses tried, the handshake, each write and each read.
"""

from __future__ import annotations

import http.client
import io
import math
import socket
from collections.abc import Callable, Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.connection import allowed_gai_family, create_connection

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
