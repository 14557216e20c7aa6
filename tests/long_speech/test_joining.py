"""Parts of any format and rate become one file of any other, in bounded memory."""

from __future__ import annotations

import io
import wave
from array import array
from typing import Any

import pytest

from mediarelay.audio.transcode import decoded
from mediarelay.job_records.contract import Output
from mediarelay.long_speech.joining import CannotJoin, PartJoiner, Sounds
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.long_jobs import MemoryUpload, MemoryUploads
from tests.doubles.media import MemoryMedia
from tests.doubles.speech_vendors import seconds_of, spoken
from tools.bench.memory import joining_megabytes

TEXTS = ("first " * 40, "second " * 55, "third " * 20)
LENGTH = sum(map(seconds_of, TEXTS))


class Bench:
    """A bucket with three parts."""

    def __init__(self, *rates: int) -> None:
        self.media, self.uploads = MemoryMedia(), MemoryUploads()
        self.files = [self._put(number, text, rates[number % len(rates)]) for number, text in enumerate(TEXTS)]

    def join(self, format_: str, **fields: Any) -> Output:
        wanted = Sounds(self.files, format_, f"tts/job-1/openai-tts-0.{format_}", {"provider": "openai-tts"}, **fields)
        return PartJoiner(self.media, self.uploads).join(wanted)

    def _put(self, number: int, text: str, rate: int) -> Output:
        output = Output(key=f"parts/{number}.wav", content_type="audio/wav", bytes=1, sha256="")
        self.media.files[output.key] = spoken(text, rate)
        return output


def heard(data: bytes, format_: str, **how: Any) -> tuple[int, float]:
    """Rate and seconds."""
    with decoded(io.BytesIO(data), format_, **how) as sound:
        return sound.rate, sum(map(len, sound.chunks)) / 2 / sound.channels / sound.rate


@pytest.mark.parametrize("format_", ["mp3", "wav", "opus", "aac", "flac", "pcm"])
def test_the_whole_is_as_long_as_its_parts(format_: str) -> None:
    bench = Bench(24_000)
    output = bench.join(format_)
    data = bench.uploads.files[output.key]
    assert (output.bytes, bench.uploads.open) == (len(data), 0)
    rate, seconds = heard(data, format_)
    assert rate == (48_000 if format_ == "opus" else 24_000)
    assert seconds == pytest.approx(LENGTH, abs=0.15)
    assert bench.uploads.facts[output.key] == {"provider": "openai-tts", "index": "0", "outputs": "1"}


def test_parts_of_another_rate_are_brought_to_that_of_the_first() -> None:
    bench = Bench(24_000, 8_000)
    output = bench.join("wav")
    assert heard(bench.uploads.files[output.key], "wav") == (24_000, pytest.approx(LENGTH, abs=0.01))


def test_rate_and_loudness_are_those_of_the_whole() -> None:
    bench = Bench(24_000)
    sounds = []
    for level in (-16.0, -30.0):
        output = bench.join("wav", sample_rate=16_000, loudness=level)
        with wave.open(io.BytesIO(bench.uploads.files[output.key])) as file:
            assert file.getframerate() == 16_000
            sounds.append(array("h", file.readframes(file.getnframes())))
    assert max(sounds[0]) > 2 * max(sounds[1])


def test_pcm_has_the_rate_that_pcm_means() -> None:
    bench = Bench(8_000)
    output = bench.join("pcm")
    assert output.bytes / 2 / 24_000 == pytest.approx(LENGTH, abs=0.05)


def test_what_is_no_sound_cannot_be_joined_and_leaves_no_upload_behind() -> None:
    bench = Bench(8_000)
    bench.media.files["parts/1.wav"] = b"<html>not found</html>"
    with pytest.raises(CannotJoin):
        bench.join("mp3")
    assert (bench.uploads.files, bench.uploads.open) == ({}, 0)


def test_an_upload_that_breaks_off_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_upload: MemoryUpload) -> None:
        raise StoreUnavailable("results bucket", "complete an upload", "SlowDown")

    monkeypatch.setattr(MemoryUpload, "complete", away)
    bench = Bench(8_000)
    with pytest.raises(StoreUnavailable):
        bench.join("wav")
    assert (bench.uploads.aborted, bench.uploads.open) == (1, 0)


def test_memory_does_not_grow_with_the_length() -> None:
    """The sound of ten minutes is 29 MB. Two hours are measured by `make bench BENCH=memory`."""
    minute, ten = joining_megabytes(60), joining_megabytes(600)
    assert ten - minute < 20
    assert ten < 256
