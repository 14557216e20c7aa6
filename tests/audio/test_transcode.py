from __future__ import annotations

import io
import math
import struct
import subprocess
import sys
from array import array
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.audio.transcode import (
    RATES,
    NotTranscoded,
    Sound,
    decoded,
    encode,
    gain_for,
    integrated_loudness,
    rate_for,
    transcode,
)

ROOT = Path(__file__).parents[2]
FORMATS = ("mp3", "wav", "opus", "aac", "flac", "pcm")
LOSSLESS = ("wav", "flac", "pcm")
RATE = 24_000
# What an encoder may add before and after: two frames of 1024 samples (AAC says nothing of them in ADTS).
PADDING = 2 * 1024


@cache
def tone(samples: int, *, amplitude: float = 0.4, channels: int = 1) -> bytes:
    """A tone of 440 Hz that swells and fades, so that a shifted or repeated piece would not be equal."""
    made = array("h")
    for at in range(samples):
        value = round(32767 * amplitude * math.sin(at * 2 * math.pi * 440 / RATE) * (0.6 + 0.4 * math.sin(at / 7000)))
        made.extend([value] * channels)
    return made.tobytes()


def file_of(format_: str, samples: bytes, *, rate: int = RATE, channels: int = 1) -> io.BytesIO:
    target = io.BytesIO()
    encode(Sound(rate, channels, iter([samples])), target, format_)
    return target


def heard(source: io.BytesIO, format_: str, **how: int) -> tuple[int, int, bytes]:
    with decoded(source, format_, **how) as sound:
        return sound.rate, sound.channels, b"".join(sound.chunks)


@pytest.mark.parametrize("target_format", FORMATS)
@pytest.mark.parametrize("source_format", FORMATS)
def test_each_format_becomes_each_other_as_long_as_before(source_format: str, target_format: str) -> None:
    source, target = file_of(source_format, tone(5 * RATE)), io.BytesIO()
    before = heard(source, source_format)
    transcode(source, source_format, target, target_format, pcm_rate=before[0])
    rate, channels, samples = heard(target, target_format, pcm_rate=before[0])
    assert channels == 1
    assert len(samples) / rate == pytest.approx(len(before[2]) / before[0], rel=0.02)


@pytest.mark.parametrize("target_format", LOSSLESS)
@pytest.mark.parametrize("source_format", LOSSLESS)
def test_lossless_formats_keep_every_sample(source_format: str, target_format: str) -> None:
    samples, target = tone(RATE), io.BytesIO()
    transcode(file_of(source_format, samples), source_format, target, target_format)
    assert heard(target, target_format) == (RATE, 1, samples)


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(1, 6000), chunk=st.integers(1, 5000), format_=st.sampled_from(FORMATS))
def test_sound_of_any_length_in_chunks_of_any_size_is_whole(samples: int, chunk: int, format_: str) -> None:
    data, target = tone(6000)[: 2 * samples], io.BytesIO()
    chunks = (data[at : at + 2 * chunk] for at in range(0, len(data), 2 * chunk))
    encode(Sound(RATE, 1, chunks), target, format_)
    rate, _, back = heard(target, format_)
    if format_ in LOSSLESS:
        assert back == data
    else:
        assert 0 <= round(len(back) / 2 / rate * RATE) - samples <= PADDING


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_the_rate_asked_for_is_the_rate_of_the_file(format_: str, rate: int) -> None:
    source, target = file_of("wav", tone(3 * RATE)), io.BytesIO()
    transcode(source, "wav", target, format_, sample_rate=rate)
    found, _, samples = heard(target, format_, pcm_rate=rate)
    assert found == (48_000 if format_ == "opus" else rate)
    assert len(samples) / 2 / found == pytest.approx(3, rel=0.09)  # two frames of 8 kHz AAC are a quarter of a second


@pytest.mark.parametrize("format_", ["wav", "flac", "mp3", "opus", "aac"])
def test_both_channels_are_kept(format_: str) -> None:
    source, target = file_of("wav", tone(RATE, channels=2), channels=2), io.BytesIO()
    transcode(source, "wav", target, format_)
    assert heard(target, format_)[1] == 2


def test_several_files_are_joined_in_one_stream() -> None:
    parts = [file_of("mp3", tone(RATE)), file_of("flac", tone(RATE)), file_of("opus", tone(RATE))]

    def chunks() -> Iterator[bytes]:
        for part, format_ in zip(parts, ("mp3", "flac", "opus"), strict=True):
            with decoded(part, format_, sample_rate=RATE, channels=1) as sound:
                yield from sound.chunks

    target = io.BytesIO()
    encode(Sound(RATE, 1, chunks()), target, "wav")
    assert len(heard(target, "wav")[2]) / 2 == pytest.approx(3 * RATE, rel=0.002)


@pytest.mark.parametrize("amplitude", [0.02, 0.2, 0.9])
@pytest.mark.parametrize("wanted", [-23.0, -16.0])
def test_loudness_is_levelled(amplitude: float, wanted: float) -> None:
    target = io.BytesIO()
    transcode(file_of("wav", tone(5 * RATE, amplitude=amplitude)), "wav", target, "wav", loudness=wanted)
    assert integrated_loudness(target, "wav") == pytest.approx(wanted, abs=0.5)


def test_what_is_raised_does_not_clip() -> None:
    samples = array("h", tone(5 * RATE, amplitude=0.02))
    for at in range(0, len(samples), RATE // 2):  # a click, far louder than the rest
        samples[at] = 30_000
    target = io.BytesIO()
    transcode(file_of("wav", samples.tobytes()), "wav", target, "wav", loudness=-14.0)
    loudest = max(map(abs, array("h", heard(target, "wav")[2])))
    assert 20 * math.log10(loudest / 32768) <= -1.4


def test_silence_is_not_raised() -> None:
    silence, target = bytes(4 * RATE), io.BytesIO()
    transcode(file_of("wav", silence), "wav", target, "pcm", loudness=-16.0)
    assert heard(target, "pcm")[2] == silence
    assert gain_for(-16.0, float("-inf")) == gain_for(-16.0, float("nan")) == 0.0


@pytest.mark.parametrize("format_", ["mp3", "wav", "opus", "aac", "flac"])
@pytest.mark.parametrize("data", [b"", b"<html>no sound</html>", bytes(range(256)) * 40])
def test_what_holds_no_sound_is_told(format_: str, data: bytes) -> None:
    with pytest.raises(NotTranscoded):
        transcode(io.BytesIO(data), format_, io.BytesIO(), "flac")


def test_no_samples_are_no_file() -> None:
    with pytest.raises(NotTranscoded):
        encode(Sound(RATE, 1, iter([])), io.BytesIO(), "mp3")


def test_half_a_sample_is_a_fault_of_the_caller() -> None:
    with pytest.raises(ValueError, match="moment"):
        encode(Sound(RATE, 1, iter([b"abc"])), io.BytesIO(), "wav")


def test_a_file_that_becomes_too_large_is_stopped() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield struct.pack("<h", 1000) * RATE

    with pytest.raises(NotTranscoded, match="more than"):
        encode(Sound(RATE, 1, endless()), io.BytesIO(), "wav", limit_bytes=500_000)


PEAK = """
import pathlib, sys, tempfile
from mediarelay.audio.transcode import Sound, encode, transcode

def peak(minutes):
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        encode(Sound(24_000, 1, (bytes(48_000) for _ in range(60 * minutes))), source, "flac")
        transcode(source, "flac", target, sys.argv[1], loudness=-16.0)
    # Not ru_maxrss: that begins with what the process that started us had.
    return int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

print(peak(1), peak(20))
"""


@pytest.mark.parametrize("format_", ["wav", "flac"])
def test_a_long_file_takes_no_more_memory_than_a_short_one(format_: str) -> None:
    command = [sys.executable, "-c", PEAK, format_]
    done = subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": "shared"}, capture_output=True, text=True, check=True)
    short, long = map(int, done.stdout.split())
    assert long - short < 8 * 1024  # kilobytes; twenty minutes are 58 MB of samples


def test_the_file_itself_decides_how_long_it_is_not_its_length_in_memory() -> None:
    source, target = file_of("flac", bytes(2 * 600 * RATE)), io.BytesIO()  # ten minutes of silence in a few KB
    transcode(source, "flac", target, "flac")
    with decoded(target, "flac") as sound:
        sizes = [len(chunk) for chunk in sound.chunks]
    assert sum(sizes) == 2 * 600 * RATE
    assert max(sizes) <= RATE


@pytest.mark.parametrize("format_", RATES)
def test_every_rate_listed_for_a_format_is_one_that_it_has(format_: str) -> None:
    for rate in RATES[format_]:
        target = io.BytesIO()
        transcode(file_of("wav", tone(RATE // 4)), "wav", target, format_, sample_rate=rate)
        assert heard(target, format_)[0] == (48_000 if format_ == "opus" else rate)


@pytest.mark.parametrize(
    ("format_", "rate", "written"),
    [("opus", 44_100, 48_000), ("opus", 24_000, 24_000), ("mp3", 96_000, 48_000), ("flac", 96_000, 96_000)],
)
def test_a_rate_that_a_format_lacks_is_raised_to_the_next(format_: str, rate: int, written: int) -> None:
    assert rate_for(format_, rate) == written
