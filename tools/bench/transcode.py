"""Making one format of another: CPU time beside the length of the sound, and beside the ffmpeg command.

Five minutes of a vendor's MP3 become each of the six formats, as a worker makes them; the slowest one is held against
its length. Then the same with everything else that a request may ask for: another rate, and a loudness, for which the
sound is decoded twice. The command is the static build of FFmpeg in the package `imageio-ffmpeg`, with the same bit
rates, on one thread, from file to file, its start included; ours is in a process that has imported PyAV.
"""

from __future__ import annotations

import io
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import imageio_ffmpeg  # type: ignore[import-untyped]

from mediarelay.audio.transcode import transcode
from mediarelay.routing.order import SOURCES
from tools.bench.result import Measurement
from tools.simulator.media.catalogue import sound

SECONDS: Final = 300
RATE: Final = 24_000
EVERYTHING: Final = {"sample_rate": 48_000, "loudness": -16.0}
BAR: Final = 0.15
BESIDE_BAR: Final = 1.5
# The command's arguments for what `transcode` writes.
_ENCODERS: Final[dict[str, Sequence[str]]] = {
    "wav": ("-f", "wav", "-c:a", "pcm_s16le"),
    "flac": ("-f", "flac", "-c:a", "flac"),
    "pcm": ("-f", "s16le", "-c:a", "pcm_s16le"),
    "mp3": ("-f", "mp3", "-c:a", "libmp3lame", "-b:a", "128k"),
    "opus": ("-f", "ogg", "-c:a", "libopus", "-b:a", "64k"),
    "aac": ("-f", "adts", "-c:a", "aac", "-b:a", "128k"),
}


def measure() -> Iterator[Measurement]:
    """CPU seconds of the slowest format beside the sound's length, plain and with all else; of all beside ffmpeg's."""
    source = sound(SECONDS, "mp3", RATE)
    plain = {wanted: _ours(source, wanted) for wanted in SOURCES}
    full = {wanted: _ours(source, wanted, **EVERYTHING) for wanted in SOURCES}
    theirs = {wanted: _theirs(source, wanted) for wanted in SOURCES}
    for name, found in (("transcode", plain), ("transcode-levelled", full)):
        slowest = max(found, key=found.__getitem__)
        yield Measurement(
            name=name,
            value=found[slowest],
            unit=f"s CPU for {SECONDS} s of MP3 into the slowest format, {slowest}",
            reference="the sound's own length in seconds",
            reference_value=float(SECONDS),
            bar=BAR,
        )
    yield Measurement(
        name="transcode-beside-ffmpeg",
        value=sum(plain.values()),
        unit=f"s CPU for {SECONDS} s of MP3 into each of six formats",
        reference="the ffmpeg command doing the same",
        reference_value=sum(theirs.values()),
        bar=BESIDE_BAR,
    )


def _ours(source: bytes, wanted: str, **how: Any) -> float:
    with tempfile.TemporaryFile() as target:
        started = time.process_time()
        transcode(io.BytesIO(source), "mp3", target, wanted, **how)
        return time.process_time() - started


def _theirs(source: bytes, wanted: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "given.mp3"), Path(folder, "made")
        given.write_bytes(source)
        before = _of_children()
        program = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", "1", "-i", str(given)]
        subprocess.run([*program, *_ENCODERS[wanted], str(made)], check=True)  # noqa: S603 # the registry's binary
        return _of_children() - before


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
