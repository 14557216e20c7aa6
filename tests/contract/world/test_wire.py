"""The wire and the media hosts: scripted vendors answer as `requests` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import requests
import responses

from mediarelay.http.connections import RequestsHttp
from mediarelay.http.messages import HttpRequest
from mediarelay.http.ports import HttpClient
from mediarelay.long_jobs.transfer.client import RequestsMediaFetcher
from mediarelay.long_jobs.transfer.ports import MediaFetcher
from mediarelay.vocabulary.errors import Unreachable
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.job_vendors import JobVendors, PlannedStream, VendorTask
from tests.doubles.scripted_http import Answer, ScriptedHttp, unsent
from tests.doubles.speech_vendors import SpeechVendors, spoken
from tools.simulation.scenario import Arrivals, Scenario, Service
from tools.simulation.vendors.wire import ADDRESS, Wire
from tools.simulation.world import Run

URL = "https://vendor.invalid/v1/speech"
REQUEST = HttpRequest("POST", "/v1/speech", {"input": "hello"}, base_url="https://vendor.invalid")
FILE = "https://media.invalid/task-1.mp4"
DATA = b"\x00\x00\x00\x18ftypisom" + bytes(range(200))
DEADLINE = ManualClock().now() + 60
Vendor = tuple[HttpClient, Callable[..., None]]


@pytest.fixture
def wire() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture(params=["scripted", "requests"])
def vendor(request: pytest.FixtureRequest, wire: responses.RequestsMock) -> Vendor:
    """A client, and what the vendor will answer; None cannot be reached."""
    if request.param == "scripted":
        http = ScriptedHttp()
        return http, lambda body, status=201: http.always(
            "", unsent() if body is None else Answer(status, body, {"content-type": "text/plain"})
        )

    def answer(body: bytes | None, status: int = 201) -> None:
        given = requests.exceptions.ConnectTimeout() if body is None else body
        for method in ("POST", "GET"):
            wire.add(method, URL, body=given, status=status, content_type="text/plain")

    return RequestsHttp(ManualClock(), allow_plain_http=False), answer


def test_an_answer_has_its_status_its_headers_and_its_body(vendor: Vendor) -> None:
    http, answer = vendor
    answer(b"hello")
    with http.send(REQUEST, deadline=DEADLINE) as reply:
        assert (reply.status, reply.headers["content-type"]) == (201, "text/plain")
        assert reply.read(5) == b"hello"
    with http.fetch(URL, deadline=DEADLINE) as reply:
        assert b"".join(reply.chunks()) == b"hello"


def test_a_body_that_is_too_large_is_no_answer_but_was_asked_for(vendor: Vendor) -> None:
    http, answer = vendor
    answer(b"hello!")
    with pytest.raises(Unreachable) as refused, http.send(REQUEST, deadline=DEADLINE) as reply:
        reply.read(5)
    assert (refused.value.code, refused.value.sent) == ("too_large", True)


@pytest.mark.parametrize("status", [400, 403, 429, 502])
def test_of_an_error_page_the_beginning_is_read(vendor: Vendor, status: int) -> None:
    http, answer = vendor
    page = b"".join(b"line %d of a page\n" % number for number in range(100_000))
    answer(page, status)
    with http.send(REQUEST, deadline=DEADLINE) as reply:
        read = reply.read(128 * 1024 * 1024)
    assert reply.status == status
    assert 1024 <= len(read) <= 64 * 1024
    assert page.startswith(read)


def test_what_could_not_connect_was_not_sent(vendor: Vendor) -> None:
    http, answer = vendor
    answer(None)
    with pytest.raises(Unreachable) as refused, http.send(REQUEST, deadline=DEADLINE):
        pass
    assert not refused.value.sent


@pytest.mark.parametrize("kind", ["speaking", "requests"])
def test_speech_is_the_body_of_an_answer_and_an_error_is_none(kind: str, wire: responses.RequestsMock) -> None:
    asked = HttpRequest("POST", "/openai/speech", {"input": "hello", "response_format": "wav", "voice": "alloy"})
    asked = replace(asked, base_url="https://vendor.invalid", headers={"Authorization": "Bearer fake"})
    for status in (200, 503):
        wire.add("POST", "https://vendor.invalid/openai/speech", body=spoken("hello"), status=status)
    speaking = SpeechVendors(ManualClock())
    http: HttpClient = speaking if kind == "speaking" else RequestsHttp(ManualClock(), allow_plain_http=False)
    with http.send(asked, deadline=DEADLINE) as reply:
        assert (reply.status, b"".join(reply.chunks())) == (200, spoken("hello"))
    speaking.down.add("openai")
    with http.send(asked, deadline=DEADLINE) as reply:
        assert reply.status == 503
    assert speaking.bought == ({"hello": 1} if kind == "speaking" else {})


@pytest.fixture(params=["scripted", "requests"])
def media(request: pytest.FixtureRequest, wire: responses.RequestsMock) -> MediaFetcher:
    """A host that has DATA."""
    if request.param == "scripted":
        vendors = JobVendors(ManualClock())
        vendors.tasks["task-1"] = VendorTask("task-1", "kling", "a", "k", "p", None, 0.0, media=DATA)
        return vendors

    def serve(asked: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        start = int(str(asked.headers.get("Range", "bytes=0-")).removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": '"v1"', "Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}
        return (
            (206, headers, DATA[start:]) if start else (200, {"ETag": '"v1"', "Content-Length": str(len(DATA))}, DATA)
        )

    wire.add_callback(responses.GET, FILE, serve)
    return RequestsMediaFetcher(ManualClock(), extra_hosts=("media.invalid",))


def opened(media: MediaFetcher, *, offset: int = 0, version: str = "") -> tuple[int, int | None, bytes]:
    hosts = ("media.invalid",)
    with media.open(FILE, hosts=hosts, offset=offset, version=version, deadline=DEADLINE) as stream:
        assert stream.version == '"v1"'
        return stream.offset, stream.size, b"".join(stream.chunks())


def test_a_file_comes_whole_and_says_its_size_and_version(media: MediaFetcher) -> None:
    offset, size, data = opened(media)
    assert (offset, size, data) == (0, len(DATA), DATA)


def test_a_version_that_is_known_is_gone_on_with(media: MediaFetcher) -> None:
    assert opened(media, offset=100, version='"v1"') == (100, len(DATA), DATA[100:])


def test_a_planned_stream_is_what_a_host_would_send() -> None:
    stream = PlannedStream(DATA, 10, None)
    assert (stream.size, b"".join(stream.chunks())) == (len(DATA), DATA[10:])


def test_a_vendor_in_virtual_time_answers_as_others_do_and_takes_its_time() -> None:
    run = Run(Scenario(service=Service(median=2.0), arrivals=[Arrivals(rate=0.001)]))
    wire: Wire = run.wire
    http: HttpClient = wire
    body = {"model": "gpt-4o-mini-tts", "input": "hello", "voice": "alloy", "response_format": "wav"}
    asked = HttpRequest("POST", "/audio/speech", body, base_url=f"{ADDRESS}/openai/v1")
    seen: list[Any] = []

    def ask(key: str, deadline: float) -> None:
        try:
            with http.send(asked.with_headers({"Authorization": f"Bearer {key}"}), deadline=EPOCH + deadline) as reply:
                seen.append((reply.status, reply.headers["content-type"], b"".join(reply.chunks())[:4]))
        except Unreachable as error:
            seen.append((error.code, error.sent))

    for key, deadline in (("sim-openai-key-0-0", 60.0), ("sim-openai-key-0-0", 1.0), ("nobody", 60.0)):
        run.loop.start(partial(ask, key, deadline))
    run.loop.run(10.0)
    assert [each[:2] for each in seen] == [
        (401, "application/json"),
        ("read_timeout", True),
        (200, "audio/wav"),
    ]
    assert seen[-1][2] == b"RIFF"
    assert (wire.purchases, sorted(call.status for call in wire.calls)) == (2, [200, 200, 401])
