"""No request receives another's answer, whatever a vendor, or what stands before it, does to a connection."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import settings

from mediarelay.http.connections import RequestsHttp
from mediarelay.http.messages import HttpRequest
from mediarelay.long_jobs.transfer.client import RequestsMediaFetcher
from mediarelay.vocabulary.errors import Unreachable
from tests.builders.certificates import certificate
from tests.doubles.clock import ManualClock
from tests.doubles.raw_server import Line, RawServer, chunked, raw_server, whole

EXCHANGES = 20 * settings.default.max_examples
# Shorter than what a connection may rest.
CALL_SECONDS = 20
# The reader of an answer takes in so much at a time.
BUFFER_BYTES = 8192
IN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Pieces = Callable[[bytes, bytes], list[bytes]]


def interim(status: int) -> bytes:
    return b"HTTP/1.1 %d Early\r\nLink: </a>; rel=preload\r\n\r\n" % status


def in_bytes(data: bytes) -> list[bytes]:
    return [bytes([each]) for each in data]


def filling(own: bytes) -> bytes:
    """An answer as long as the reader's buffer, so that what lies behind it is not read along with it."""
    head = len(whole(own.ljust(BUFFER_BYTES // 2))) - BUFFER_BYTES // 2
    return whole(own.ljust(BUFFER_BYTES - head))


# What an answer may look like, by what comes of it; an empty piece hangs up. Each is given the media of the request,
# and media that is not.
REGULAR: dict[str, Pieces] = {
    "whole": lambda own, _: [whole(own)],
    "chunked": lambda own, _: [chunked(own)],
    "refused": lambda own, _: [whole(own, status="429 Too Many Requests")],
    "in bytes": lambda own, _: in_bytes(whole(own)),
    "chunked, in bytes": lambda own, _: in_bytes(chunked(own)),
    "100": lambda own, _: [interim(100), whole(own)],
    "as long as the buffer": lambda own, _: [filling(own)],
}
DELIVERED: dict[str, Pieces] = {
    "102": lambda own, _: [interim(102) + whole(own)],
    "103": lambda own, _: [interim(103), whole(own)],
    "199": lambda own, _: [interim(199), whole(own)],
    "several interim": lambda own, _: [*map(interim, (102, 100, 103, 103, 150)), whole(own)],
    "interim, in bytes": lambda own, _: in_bytes(interim(103) + whole(own)),
    "interim, then twice": lambda own, stray: [interim(103), whole(own) + interim(103) + whole(stray)],
    "interim behind it": lambda own, _: [whole(own) + interim(103)],
    "twice": lambda own, stray: [whole(own) + whole(stray)],
    "four times": lambda own, stray: [whole(own) + 3 * whole(stray)],
    "twice in chunks": lambda own, stray: [chunked(own) + chunked(stray)],
    "twice, behind the buffer": lambda own, stray: [filling(own) + whole(stray)],
    "torn behind it": lambda own, stray: [whole(own) + whole(stray)[:-4]],
    "an empty line behind it": lambda own, _: [whole(own) + b"\r\n\r\n"],
    "a byte behind it": lambda own, _: [whole(own) + b"\0"],
    "two kinds of length": lambda own, stray: [chunked(own, head=b"Content-Length: 9\r\n") + whole(stray)],
}
LOST: dict[str, Pieces] = {
    "nothing": lambda *_: [b""],
    "hung up in the status": lambda own, _: [whole(own)[:10], b""],
    "hung up in the head": lambda own, _: [whole(own)[:30], b""],
    "hung up behind an interim": lambda *_: [interim(103), b""],
    "hung up in the body": lambda own, _: [whole(own)[:-1], b""],
    "hung up in a chunk": lambda own, _: [chunked(own)[:-9], b""],
    "hung up behind a chunk": lambda own, _: [chunked(own)[:-5], b""],
    "a chunk too short": lambda own, stray: [IN_CHUNKS + b"4\r\n" + own + b"\r\n0\r\n\r\n" + whole(stray)],
    "a chunk below nothing": lambda own, stray: [IN_CHUNKS + b"-5\r\n" + own + b"\r\n0\r\n\r\n" + whole(stray)],
    "two lengths": lambda own, stray: [whole(own, head=b"Content-Length: 3\r\n") + whole(stray)],
    "a body too short": lambda own, _: [whole(own).replace(b"Length: ", b"Length: 1"), b""],
    "an empty line before it": lambda own, _: [b"\r\n\r\n" + whole(own)],
    "no head": lambda own, _: [own, b""],
}
EVERY = REGULAR | DELIVERED | LOST
# What may come on a connection while no request is open.
UNASKED: dict[str, Callable[[bytes], bytes]] = {
    "an answer": whole,
    "an answer in chunks": chunked,
    "half an answer": lambda stray: whole(stray)[:-4],
    "an interim answer": lambda _: interim(103),
    "a byte": lambda _: b"\0",
    "the end": lambda _: b"",
}


def asking(server: RawServer, mark: str, fault: str) -> HttpRequest:
    return HttpRequest("POST", "/v1/speech", {"input": mark, "fault": fault}, base_url=server.url)


def media(mark: str) -> bytes:
    return f"media of {mark}".encode()


def write(line: Line, piece: bytes) -> None:
    if piece:
        line.send(piece)
    else:
        line.close()


class Vendor:
    """Answers as a request asks it to."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def __call__(self, request: Any, line: Line) -> None:
        own, stray = media(request["input"]), media("another")
        if request["fault"] == "late":
            line.send(whole(own)[:9])
            self._clock.advance(CALL_SECONDS + 1)
            for piece in (whole(own)[9:12], whole(own)[12:], whole(stray)):
                line.send(piece)
            return
        for piece in EVERY[request["fault"]](own, stray):
            write(line, piece)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def http(clock: ManualClock) -> Iterator[RequestsHttp]:
    client = RequestsHttp(clock, allow_plain_http=True)
    yield client
    client._session().close()


@pytest.fixture(params=["plain", "tls"])
def server(
    request: pytest.FixtureRequest, clock: ManualClock, http: RequestsHttp, tmp_path: Path
) -> Iterator[RawServer]:
    context = None
    if request.param == "tls":
        context, known = certificate(tmp_path)
        http._session().verify = str(known)
    with raw_server(Vendor(clock), context) as running:
        yield running


@pytest.fixture
def plain(clock: ManualClock) -> Iterator[RawServer]:
    with raw_server(Vendor(clock)) as running:
        yield running


def delivered(http: RequestsHttp, clock: ManualClock, server: RawServer, mark: str, fault: str = "whole") -> bytes:
    with http.send(asking(server, mark, fault), deadline=clock.now() + CALL_SECONDS) as answer:
        assert answer.status in {200, 429}
        return answer.read(1 << 20).rstrip()


def push(http: RequestsHttp, server: RawServer, data: bytes) -> None:
    """Write into the connection that rests in the client's pool, and wait until it has arrived there."""
    write(server.lines[-1], data)
    adapter: Any = http._session().get_adapter(server.url)
    manager = adapter.poolmanager
    (pool,) = (manager.pools[key] for key in manager.pools.keys())  # noqa: SIM118 # it cannot be iterated over
    resting = [each.sock for each in pool.pool.queue if each is not None and each.sock is not None]
    assert select.select(resting, [], [], 10)[0]


@pytest.mark.parametrize("fault", REGULAR)
def test_a_connection_in_order_is_used_again(http: Any, clock: Any, server: RawServer, fault: str) -> None:
    for mark in ("one", "two", "three"):
        assert delivered(http, clock, server, mark, fault) == media(mark)
    assert len(server.lines) == 1


@pytest.mark.parametrize("fault", DELIVERED)
def test_an_answer_out_of_order_is_delivered_and_nothing_after_it(
    http: Any, clock: Any, server: RawServer, fault: str
) -> None:
    delivered(http, clock, server, "before")
    assert delivered(http, clock, server, "one", fault) == media("one")
    assert delivered(http, clock, server, "two") == media("two")
    assert len(server.lines) == 2


@pytest.mark.parametrize("fault", LOST)
def test_a_torn_answer_is_none_and_costs_no_other(http: Any, clock: Any, server: RawServer, fault: str) -> None:
    delivered(http, clock, server, "before")
    with pytest.raises(Unreachable) as lost:
        delivered(http, clock, server, "one", fault)
    assert lost.value.sent
    assert delivered(http, clock, server, "two") == media("two")


@pytest.mark.parametrize("unasked", UNASKED)
def test_what_nobody_asked_for_is_not_taken_for_an_answer(
    http: Any, clock: Any, plain: RawServer, unasked: str
) -> None:
    delivered(http, clock, plain, "one")
    push(http, plain, UNASKED[unasked](media("another")))
    assert delivered(http, clock, plain, "two") == media("two")


def test_a_late_answer_reaches_nobody(http: Any, clock: Any, server: RawServer) -> None:
    with pytest.raises(Unreachable) as lost:
        delivered(http, clock, server, "one", "late")
    assert (lost.value.code, lost.value.sent) == ("read_timeout", True)
    assert delivered(http, clock, server, "two") == media("two")


def test_what_was_left_of_an_answer_reaches_nobody(http: Any, clock: Any, server: RawServer) -> None:
    with pytest.raises(RuntimeError), http.send(asking(server, "one", "whole"), deadline=clock.now() + CALL_SECONDS):
        raise RuntimeError
    assert delivered(http, clock, server, "two") == media("two")


@pytest.mark.parametrize("fault", DELIVERED)
def test_a_file_is_the_one_that_was_asked_for(clock: Any, fault: str) -> None:
    files = iter(("one", "two", "three"))
    fetcher = RequestsMediaFetcher(clock, local=True)

    def answer(_: Any, line: Line) -> None:
        for piece in DELIVERED[fault](media(next(files)), media("another")):
            write(line, piece)

    with raw_server(answer) as server:
        for mark in ("one", "two", "three"):
            deadline = clock.now() + CALL_SECONDS
            with fetcher.open(server.url, hosts=(), offset=0, version="", deadline=deadline) as stream:
                assert b"".join(stream.chunks()).rstrip() == media(mark)
        fetcher._session.close()


def test_over_many_exchanges_every_answer_is_the_requests_own(http: Any, clock: Any, plain: RawServer) -> None:
    random = Random(20261127)
    faults = [*EVERY, "late"]
    got = 0
    for number in range(EXCHANGES):
        mark, fault = f"{number:06}", random.choice(faults if random.random() < 0.5 else [*REGULAR])
        if fault in REGULAR | DELIVERED:
            assert delivered(http, clock, plain, mark, fault) == media(mark)
            got += 1
        else:
            with pytest.raises(Unreachable):
                delivered(http, clock, plain, mark, fault)
        if fault in REGULAR and random.random() < 0.1:
            push(http, plain, UNASKED[random.choice([*UNASKED])](media("another")))
    assert got > EXCHANGES // 2
    assert len(plain.lines) < EXCHANGES // 2
