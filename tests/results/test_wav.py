from __future__ import annotations

import io
import struct
import wave

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.results.media_type import patches, read_header
from mediarelay.results.result_store import spooled

SAMPLES = bytes(range(256)) * 20
STREAMED = 0xFFFF_FFFF


def wav_file(samples: bytes, *, riff: int, data: int, before: bytes = b"", behind: bytes = b"") -> bytes:
    """Mono, 16 bits, 24,000 samples a second, with the sizes as given."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 24_000, 48_000, 2, 16)
    head = b"RIFF" + struct.pack("<I", riff) + b"WAVE" + form + before
    return head + b"data" + struct.pack("<I", data) + samples + behind


def chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + b"\x00" * (len(body) % 2)


def stored(file: bytes, pieces: int = 7) -> bytes:
    cuts = [file[at : at + pieces] for at in range(0, len(file), pieces)]
    with spooled(cuts, "wav") as media:
        return media.body.read()


def sizes(file: bytes) -> tuple[int, int]:
    header = read_header(file, len(file))
    assert header.data_at is not None
    return struct.unpack_from("<I", file, 4)[0], struct.unpack_from("<I", file, header.data_at - 4)[0]


@pytest.mark.parametrize(
    ("riff", "data"), [(STREAMED, STREAMED), (0, 0), (0x7FFF_FFFF, 0x7FFF_FFFF), (36, 0), (STREAMED, 0x7FFF_FFFF - 36)]
)
@pytest.mark.parametrize("before", [b"", chunk(b"LIST", b"INFOISFT\x05\x00\x00\x00Lavf\x00")], ids=["plain", "named"])
def test_the_sizes_a_stream_left_open_are_those_of_the_file(riff: int, data: int, before: bytes) -> None:
    file = stored(wav_file(SAMPLES, riff=riff, data=data, before=before))
    assert sizes(file) == (len(file) - 8, len(SAMPLES))
    with wave.open(io.BytesIO(file)) as heard:
        assert (heard.getnframes(), heard.readframes(heard.getnframes())) == (len(SAMPLES) // 2, SAMPLES)


def test_a_file_whose_sizes_are_right_stays_as_it_is() -> None:
    behind = chunk(b"LIST", b"INFOINAM\x04\x00\x00\x00name")
    file = wav_file(SAMPLES, riff=36 + len(SAMPLES) + len(behind), data=len(SAMPLES), behind=behind)
    assert stored(file) == file


def test_samples_that_broke_off_are_counted_as_they_came() -> None:
    file = stored(wav_file(SAMPLES[:1000], riff=36 + len(SAMPLES), data=len(SAMPLES)))
    assert sizes(file) == (len(file) - 8, 1000)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300), st.integers(0, STREAMED))
def test_no_header_is_too_odd_to_be_read(junk: bytes, size: int) -> None:
    head = b"RIFF\x00\x00\x00\x00WAVE" + junk
    assert read_header(head, len(head)).sound_bytes(len(head)) <= len(head)
    for at, data in patches(head, max(size, len(head))):
        assert 0 <= at <= len(head) - len(data)
