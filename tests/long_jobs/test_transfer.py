"""A result on its way into the bucket: whole or not at all, from where it broke off, one part at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.long_jobs.transfer import transfer as module
from mediarelay.long_jobs.transfer.transfer import Transfer, Wanted
from mediarelay.results.result_store import NotWhatWasAsked
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable
from tests.doubles.clock import ManualClock
from tests.doubles.long_jobs import MemoryUploads

HEAD = b"\x00\x00\x00\x18ftypisom" + b"\x00" * 60
BROKEN = Unreachable("truncated_body", "it broke off", sent=True)


@dataclass
class Host:
    """A media host: each answer breaks off after so many bytes; None is a whole one. `versions` changes per answer."""

    data: bytes
    breaks: list[int | None] = field(default_factory=list)
    versions: Sequence[str] = ('"1"',)
    resumes: bool = True
    size_known: bool = True
    asked: list[int] = field(default_factory=list)

    @contextmanager
    def open(self, url: str, *, hosts: Any, offset: int, version: str, deadline: float) -> Iterator[Any]:
        del url, hosts, deadline
        self.asked.append(offset)
        number = len(self.asked) - 1
        current = self.versions[min(number, len(self.versions) - 1)]
        start = offset if self.resumes and version == current else 0
        until = self.breaks[number] if number < len(self.breaks) else None
        yield Stream(self.data[start:], start, len(self.data) if self.size_known else None, current, until)


@dataclass
class Stream:
    rest: bytes
    offset: int
    size: int | None
    version: str
    until: int | None

    def chunks(self) -> Iterator[bytes]:
        end = len(self.rest) if self.until is None else min(self.until, len(self.rest))
        for start in range(0, end, 1000):
            yield self.rest[start : min(start + 1000, end)]
        if self.until is not None and self.until < len(self.rest):
            raise BROKEN


def fetch(host: Host, uploads: MemoryUploads, **how: Any) -> Any:
    clock = ManualClock()
    given_ = {"formats": ["mp4"], "hosts": (), "facts": {"provider": "p"}, "key": lambda kind: f"k.{kind}", **how}
    return Transfer(host, uploads, clock).fetch(Wanted(url="https://x/a", **given_), deadline=clock.now() + 60)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 4096)


def test_a_file_arrives_with_its_size_checksum_and_type() -> None:
    data, uploads = HEAD + b"x" * 5000, MemoryUploads()
    output = fetch(Host(data), uploads)
    assert (output.key, output.content_type, output.bytes) == ("k.mp4", "video/mp4", len(data))
    assert output.sha256 == hashlib.sha256(data).hexdigest()
    assert (uploads.files, uploads.facts["k.mp4"]) == ({"k.mp4": data}, {"provider": "p"})


def test_the_bytes_say_which_of_the_formats_it_is() -> None:
    uploads = MemoryUploads()
    wav = b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\x00" * 100
    assert fetch(Host(wav), uploads, formats=["mp3", "wav"]).content_type == "audio/wav"


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("samples", [1_000, 20_000])
def test_the_sizes_in_the_header_of_a_wav_are_those_of_the_file(samples: int) -> None:
    uploads, silence = MemoryUploads(), b"\x00" * samples
    form = b"fmt \x10\x00\x00\x00\x01\x00\x01\x00\xc0\x5d\x00\x00\x80\xbb\x00\x00\x02\x00\x10\x00"
    output = fetch(
        Host(b"RIFF\xff\xff\xff\xffWAVE" + form + b"data\xff\xff\xff\xff" + silence), uploads, formats=["wav"]
    )
    stored = uploads.files["k.wav"]
    assert output.sha256 == hashlib.sha256(stored).hexdigest()
    assert (stored[4:8], stored[40:44]) == ((samples + 36).to_bytes(4, "little"), samples.to_bytes(4, "little"))


@pytest.mark.parametrize("data", [b"", b"<html>sorry</html>", b'{"detail":"gone"}', b"\x89PNG\r\n\x1a\n" + b"\0" * 90])
def test_what_is_not_the_media_leaves_nothing_behind(data: bytes) -> None:
    uploads = MemoryUploads()
    with pytest.raises(NotWhatWasAsked):
        fetch(Host(data), uploads)
    assert (uploads.files, uploads.open) == ({}, 0)


@pytest.mark.usefixtures("small_parts")
@given(st.lists(st.integers(1, 30_000), max_size=3), st.integers(0, 40_000), st.booleans(), st.booleans())
def test_however_it_breaks_off_the_file_is_the_same(
    breaks: list[int],
    length: int,
    resumes: bool,  # noqa: FBT001 # drawn
    size_known: bool,  # noqa: FBT001 # drawn
) -> None:
    data = HEAD + bytes(range(256)) * (length // 256)
    uploads = MemoryUploads()
    host = Host(data, list(breaks), resumes=resumes, size_known=size_known)
    output = fetch(host, uploads)
    assert uploads.files == {"k.mp4": data}
    assert output.sha256 == hashlib.sha256(data).hexdigest()
    assert uploads.open == 0


def test_what_has_come_is_not_fetched_again() -> None:
    host = Host(HEAD + b"x" * 50_000, [20_000, 10_000])
    fetch(host, MemoryUploads())
    assert host.asked == [0, 20_000, 30_000]


@pytest.mark.usefixtures("small_parts")
def test_another_content_in_its_place_is_begun_anew() -> None:
    host, uploads = Host(HEAD + b"x" * 50_000, [20_000], versions=['"1"', '"2"']), MemoryUploads()
    fetch(host, uploads)
    assert uploads.files == {"k.mp4": host.data}
    assert uploads.aborted == 1


@pytest.mark.usefixtures("small_parts")
def test_a_transfer_that_keeps_breaking_is_given_up_and_leaves_nothing_behind() -> None:
    host, uploads = Host(HEAD + b"x" * 50_000, [5_000] * 9, resumes=False), MemoryUploads()
    with pytest.raises(Unreachable):
        fetch(host, uploads)
    assert len(host.asked) == module.TRIES
    assert (uploads.files, uploads.open) == ({}, 0)


def test_a_body_shorter_than_announced_is_broken_off() -> None:
    host = Host(HEAD + b"x" * 50_000)
    whole = host.data

    class Short(Host):
        @contextmanager
        def open(self, url: str, **how: Any) -> Iterator[Any]:
            with Host.open(self, url, **how) as stream:
                stream.rest = stream.rest[:100] if len(self.asked) == 1 else stream.rest
                yield stream

    uploads = MemoryUploads()
    fetch(Short(whole), uploads)
    assert uploads.files == {"k.mp4": whole}


def test_a_file_too_large_is_refused_before_it_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT_BYTES", 1000)
    for known in (True, False):
        uploads = MemoryUploads()
        with pytest.raises(NotWhatWasAsked):
            fetch(Host(HEAD + b"x" * 5000, size_known=known), uploads)
        assert uploads.files == {}


@pytest.mark.usefixtures("small_parts")
def test_a_bucket_that_is_away_is_no_fault_of_the_hosts() -> None:
    class Away(MemoryUploads):
        def begin(self, *_: Any) -> Any:
            raise StoreUnavailable("results bucket", "begin an upload", "SlowDown")

    with pytest.raises(StoreUnavailable):
        fetch(Host(HEAD + b"x" * 9000), Away())


def test_a_part_is_as_large_as_s3_asks_and_a_small_worker_can_hold() -> None:
    uploads = MemoryUploads()
    fetch(Host(HEAD + bytes(20 * 1024**2)), uploads)
    *full, _ = uploads.parts
    assert full
    assert all(5 * 1024**2 <= size <= 16 * 1024**2 for size in full)
