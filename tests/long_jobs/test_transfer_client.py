"""Where results may be fetched from: the vendor's own hosts by https, and never from within."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import responses

from mediarelay.http.guarded_connections import ForbiddenAddress, public_address
from mediarelay.long_jobs.transfer.client import RequestsMediaFetcher
from mediarelay.vocabulary.errors import Unreachable
from tests.doubles.clock import ManualClock

HOSTS = ("fal.media",)
FILE = "https://v3.fal.media/files/a.mp4"
PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),  # noqa: S104
    *("224.0.0.1", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "ff02::1"),
    *("2002:a00:1::", "198.18.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.192"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "::7f00:1"),
]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def fetcher(clock: ManualClock) -> RequestsMediaFetcher:
    return RequestsMediaFetcher(clock)


@pytest.fixture
def vendor_client() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def fetched(
    fetcher: RequestsMediaFetcher, clock: ManualClock, url: str = FILE, **how: Any
) -> tuple[int, bytes, int | None]:
    given = {"hosts": HOSTS, "offset": 0, "version": "", "deadline": clock.now() + 60, **how}
    with fetcher.open(url, **given) as stream:
        return stream.offset, b"".join(stream.chunks()), stream.size


def refusal(fetcher: RequestsMediaFetcher, clock: ManualClock, url: str = FILE, **how: Any) -> str:
    with pytest.raises(Unreachable) as refused:
        fetched(fetcher, clock, url, **how)
    return refused.value.code


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [(socket.AF_INET6 if ":" in each else socket.AF_INET, 1, 6, "", (each, 443)) for each in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def test_a_file_on_the_vendors_host_comes_whole(
    fetcher: Any, clock: Any, vendor_client: responses.RequestsMock
) -> None:
    vendor_client.get(FILE, body=b"abc", headers={"content-length": "3", "etag": '"1"'})
    assert fetched(fetcher, clock) == (0, b"abc", 3)


def test_nothing_that_could_be_a_key_is_sent_along(
    fetcher: Any, clock: Any, vendor_client: responses.RequestsMock
) -> None:
    vendor_client.get(FILE, body=b"abc")
    fetched(fetcher, clock)
    sent = {name.lower() for name in vendor_client.calls[0].request.headers}
    assert sent <= {"user-agent", "accept-encoding", "accept", "connection"}


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/a.mp4",
        "https://fal.media.evil.example/a.mp4",
        "https://notfal.media/a.mp4",
        "https://v3.fal.media@evil.example/a.mp4",
        "https:///a.mp4",
    ],
)
def test_another_host_is_not_asked(fetcher: Any, clock: Any, vendor_client: responses.RequestsMock, url: str) -> None:
    assert refusal(fetcher, clock, url) == "forbidden_host"
    assert len(vendor_client.calls) == 0


def test_a_host_that_the_operator_allows_is_asked(clock: ManualClock, vendor_client: responses.RequestsMock) -> None:
    vendor_client.get("https://cdn.example/a.mp4", body=b"abc")
    allowed = RequestsMediaFetcher(clock, extra_hosts=("cdn.example",))
    assert fetched(allowed, clock, "https://cdn.example/a.mp4")[1] == b"abc"


@pytest.mark.parametrize(
    "url", ["http://v3.fal.media/a.mp4", "ftp://v3.fal.media/a.mp4", "file://v3.fal.media/etc/passwd"]
)
def test_only_https_is_spoken(fetcher: Any, clock: Any, vendor_client: responses.RequestsMock, url: str) -> None:
    assert refusal(fetcher, clock, url) == "forbidden_scheme"
    assert len(vendor_client.calls) == 0


def test_a_redirect_of_the_vendors_own_is_followed(
    fetcher: Any, clock: Any, vendor_client: responses.RequestsMock
) -> None:
    vendor_client.get(FILE, status=302, headers={"location": "https://storage.example/a.mp4"})
    vendor_client.get("https://storage.example/a.mp4", body=b"abc")
    assert fetched(fetcher, clock)[1] == b"abc"


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://storage.example/a.mp4", "forbidden_scheme"),
        ("https://user:secret@storage.example/a.mp4", "forbidden_address"),
        ("", "download_failed"),
    ],
)
def test_a_redirect_is_held_to_the_same_rules(
    fetcher: Any, clock: Any, vendor_client: responses.RequestsMock, location: str, code: str
) -> None:
    vendor_client.get(FILE, status=302, headers={"location": location})
    assert refusal(fetcher, clock) == code


def test_a_redirect_to_a_private_address_is_not_followed(
    fetcher: Any, clock: Any, vendor_client: responses.RequestsMock
) -> None:
    vendor_client.get(FILE, status=302, headers={"location": "https://169.254.169.254/latest/meta-data"})
    vendor_client.add_passthru("https://169.254.169.254")
    assert refusal(fetcher, clock) == "forbidden_address"


def test_redirects_come_to_an_end(fetcher: Any, clock: Any, vendor_client: responses.RequestsMock) -> None:
    vendor_client.get(FILE, status=307, headers={"location": FILE})
    assert refusal(fetcher, clock) == "download_failed"
    assert len(vendor_client.calls) == 6


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_within_is_never_connected_to(
    fetcher: Any, clock: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolving(monkeypatch, address)
    assert refusal(fetcher, clock) == "forbidden_address"


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.216.34", "10.0.0.1")
    with pytest.raises(ForbiddenAddress):
        public_address("v3.fal.media", 443)


def test_a_public_address_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, "93.184.216.34", "2606:2800:220:1::1")
    assert public_address("v3.fal.media", 443) == "93.184.216.34"


def test_a_host_without_an_address_cannot_be_reached(fetcher: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert refusal(fetcher, clock) == "connect_failed"


def test_a_transfer_goes_on_where_it_stopped(fetcher: Any, clock: Any, vendor_client: responses.RequestsMock) -> None:
    vendor_client.get(FILE, status=206, body=b"def", headers={"content-range": "bytes 3-5/6", "etag": '"1"'})
    assert fetched(fetcher, clock, offset=3, version='"1"') == (3, b"def", 6)
    asked = vendor_client.calls[0].request.headers
    assert (asked["Range"], asked["If-Range"]) == ("bytes=3-", '"1"')


def test_without_a_version_the_whole_is_asked_for(
    fetcher: Any, clock: Any, vendor_client: responses.RequestsMock
) -> None:
    vendor_client.get(FILE, body=b"abcdef")
    assert fetched(fetcher, clock, offset=3)[0] == 0
    assert "Range" not in vendor_client.calls[0].request.headers


def test_a_weak_tag_names_no_sequence_of_bytes(fetcher: Any, clock: Any, vendor_client: responses.RequestsMock) -> None:
    vendor_client.get(FILE, body=b"abc", headers={"etag": 'W/"1"'})
    with fetcher.open(FILE, hosts=HOSTS, offset=0, version="", deadline=clock.now() + 60) as stream:
        assert stream.version == ""


@pytest.mark.parametrize("status", [204, 206, 401, 403, 404, 410, 416, 500])
def test_anything_else_is_a_failed_download(
    fetcher: Any, clock: Any, vendor_client: responses.RequestsMock, status: int
) -> None:
    vendor_client.get(FILE, status=status, body=b"no")
    assert refusal(fetcher, clock) == "download_failed"


def test_no_download_begins_after_its_deadline(fetcher: Any, clock: Any) -> None:
    assert refusal(fetcher, clock, deadline=clock.now()) == "connect_timeout"


def test_the_local_stage_may_fetch_from_a_simulator(clock: ManualClock, vendor_client: responses.RequestsMock) -> None:
    vendor_client.get("http://127.0.0.1:9/a.mp4", body=b"abc")
    assert fetched(RequestsMediaFetcher(clock, local=True), clock, "http://127.0.0.1:9/a.mp4")[1] == b"abc"
