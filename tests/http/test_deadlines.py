"""A call ends with its deadline, however slowly a vendor connects, listens or answers."""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from mediarelay.http import connections
from mediarelay.http.connections import RequestsHttp
from mediarelay.http.messages import HttpRequest
from mediarelay.long_jobs.transfer.client import RequestsMediaFetcher
from mediarelay.vocabulary.errors import Unreachable
from tests.builders.certificates import certificate
from tests.doubles.clock import ManualClock
from tests.doubles.raw_server import Line, raw_server

CALL_SECONDS = 20
# Real seconds, where a socket waits for something that never comes.
SOON = 0.2
LETTERS = b"a" * 60_000
SPEECH = b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n"
ERROR_PAGE = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 900000\r\n\r\n"
IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# What comes at once, and what then comes a piece every half second, and for much longer than a call lasts.
DRIPS: dict[str, tuple[bytes, bytes]] = {
    "status": (b"", b"HTTP/1.1 200 " + LETTERS),
    "head": (b"HTTP/1.1 200 OK\r\n", b"x: " + LETTERS),
    "speech": (SPEECH, LETTERS),
    "error page": (ERROR_PAGE, LETTERS),
    "page without a length": (b"HTTP/1.1 200 OK\r\n\r\n", LETTERS),
    "chunk": (IN_CHUNKS + b"fffff\r\n", LETTERS),
    "length of a chunk": (IN_CHUNKS, LETTERS),
    "end of the chunks": (IN_CHUNKS + b"1\r\na\r\n0\r\n", LETTERS),
}


class Dripping:
    """Answers a piece every half second, until it is hung up on. `was_cut`: it was, before it had sent all."""

    def __init__(self, clock: ManualClock, first: bytes, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._clock = clock
        self._first = first
        self._pieces = pieces
        self.was_cut = False

    def __call__(self, request: Any, line: Line) -> None:
        del request
        try:
            line.send(self._first)
            for piece in self._pieces():
                self._clock.advance(0.5)
                line.send(piece)
        except OSError:
            self.was_cut = True
            raise


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def http(clock: ManualClock) -> Iterator[RequestsHttp]:
    client = RequestsHttp(clock, allow_plain_http=True)
    yield client
    client._session().close()


def request(url: str, text: str = "hello") -> HttpRequest:
    return HttpRequest("POST", "/v1/speech", {"input": text}, base_url=url)


def failure(http: RequestsHttp, sent: HttpRequest, deadline: float) -> tuple[str, bool]:
    with pytest.raises(Unreachable) as lost, http.send(sent, deadline=deadline) as answer:
        answer.read(1 << 30)
    return lost.value.code, lost.value.sent


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("where", DRIPS)
def test_an_answer_that_drips_ends_with_the_deadline(
    clock: Any, http: Any, tmp_path: Path, where: str, *, tls: bool
) -> None:
    first, rest = DRIPS[where]
    vendor = Dripping(clock, first, lambda: (bytes([each]) for each in rest))
    context = None
    if tls:
        context, known = certificate(tmp_path)
        http._session().verify = str(known)
    with raw_server(vendor, context) as server:
        deadline = clock.now() + CALL_SECONDS
        assert failure(http, request(server.url), deadline) == ("read_timeout", True)
        server.wait_until_idle()
    assert vendor.was_cut


def test_interim_answers_without_end_end_with_the_deadline(clock: Any, http: Any) -> None:
    vendor = Dripping(clock, b"", lambda: repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n", 100_000))
    with raw_server(vendor) as server:
        assert failure(http, request(server.url), clock.now() + CALL_SECONDS) == ("read_timeout", True)
        server.wait_until_idle()
    assert vendor.was_cut


def test_a_file_that_drips_ends_with_the_deadline(clock: Any) -> None:
    vendor = Dripping(clock, SPEECH, lambda: (bytes([each]) for each in LETTERS))
    fetcher = RequestsMediaFetcher(clock, local=True)
    with raw_server(vendor) as server:
        opened = fetcher.open(server.url, hosts=(), offset=0, version="", deadline=clock.now() + CALL_SECONDS)
        with pytest.raises(Unreachable) as lost, opened as stream:
            list(stream.chunks())
        server.wait_until_idle()
    fetcher._session.close()
    assert (lost.value.code, vendor.was_cut) == ("read_timeout", True)


def test_a_call_may_be_without_a_deadline(http: Any) -> None:
    with (
        raw_server(lambda _, line: line.send(SPEECH.replace(b"900000", b"2") + b"ok")) as server,
        http.send(request(server.url), deadline=math.inf) as answer,
    ):
        assert answer.read(9) == b"ok"


def test_silence_ends_with_the_deadline(clock: Any, http: Any) -> None:
    with raw_server(lambda _, line: line.send(SPEECH)) as server:
        assert failure(http, request(server.url), clock.now() + SOON) == ("read_timeout", True)


def test_a_handshake_that_never_ends_was_no_connection_and_nothing_was_sent(clock: Any, http: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        assert failure(http, request(url), clock.now() + SOON) == ("connect_timeout", False)


def test_a_vendor_that_does_not_listen_ends_the_call(clock: Any, http: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        code, sent = failure(http, request(url, "a" * 20_000_000), clock.now() + SOON)
    assert (code, sent) == ("connection_lost", True)


def test_many_dead_addresses_take_no_longer_than_one(clock: Any, http: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def dead(address: tuple[str, int], timeout: float, **_: Any) -> socket.socket:
        tried.append(address[0])
        assert 0 < timeout <= 5
        clock.advance(timeout if len(tried) > 1 else 2)
        raise TimeoutError

    found = [(socket.AF_INET, 1, 6, "", (f"192.0.2.{each}", 80)) for each in (1, 2, 3, 4)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(connections, "create_connection", dead)
    began = clock.now()
    assert failure(http, request("http://vendor.example"), began + 600) == ("connect_timeout", False)
    assert tried == ["192.0.2.1", "192.0.2.2"]
    assert clock.now() - began == 5


def test_the_second_of_two_addresses_is_tried(clock: Any, http: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(lambda _, line: line.send(SPEECH.replace(b"900000", b"2") + b"ok")) as server:
        port = int(server.url.rpartition(":")[2])
        addresses = chain(["127.0.0.2", "127.0.0.1"])
        found = [(socket.AF_INET, 1, 6, "", (each, port)) for each in addresses]
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *rest: found if host == "vendor.example" else real(host, *rest)
        )
        with http.send(request(f"http://vendor.example:{port}"), deadline=clock.now() + 20) as answer:
            assert answer.read(9) == b"ok"
