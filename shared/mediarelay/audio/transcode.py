"""Decode any of our formats to samples, and encode samples to any of them, as streams: FFmpeg's libraries, by PyAV.

Import this module where it is used, never at the top of another: PyAV is 90 MB of a layer and no part of a
cold start, and most requests get their format from the vendor.

How to use it::

    with decoded(part, "mp3") as sound:             # part: a binary file that can seek
        encode(sound, target, "opus")               # target: a binary file that can seek, written from its beginning

    def chunks():                                   # to join several, give `encode` samples of your own
        for part in parts:
            with decoded(part, "mp3", sample_rate=24_000, channels=1) as sound:
                yield from sound.chunks
    encode(Sound(24_000, 1, chunks()), target, "mp3")

Neither holds more than a few frames: a chunk is at most a tenth of a second or one frame of the codec, and what is
encoded goes into the target at once. `transcode` is both in one, with the loudness levelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from types import MappingProxyType
from typing import IO, Any, Final, TypeVar

import av
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from av.filter import Graph

from mediarelay.vocabulary.errors import MediaRelayError
from mediarelay.vocabulary.frozen import frozen

T = TypeVar("T")
# Headerless samples don't say their rate; this is what `pcm` means with every provider.
PCM_RATE: Final = 24_000

# Rates of the containers that have a fixed set: ISO 11172-3 and 13818-3 with the extension to 2.5, ISO 14496-3,
# RFC 6716. Opus always plays at 48 kHz; lower rates only narrow what is heard.
RATES: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
        "aac": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
        "opus": (8_000, 12_000, 16_000, 24_000, 48_000),
    }
)
SAMPLE_BYTES: Final = 2
# No louder than this at any sample: lossy codecs overshoot by about a decibel.
CEILING_DB: Final = -1.5
# Below this there is nothing but noise to level.
SILENCE_LUFS: Final = -60.0
# What a level can be raised or lowered by: more would be the noise of the recording.
MOST_GAIN_DB: Final = 30.0

# FFmpeg's names: of the file, and of the codec with its bits per second.
_WRITERS: Final = MappingProxyType(
    {
        "mp3": ("mp3", "libmp3lame", 128_000),
        "wav": ("wav", "pcm_s16le", None),
        "opus": ("ogg", "libopus", 64_000),
        "aac": ("adts", "aac", 128_000),
        "flac": ("flac", "flac", None),
        "pcm": ("s16le", "pcm_s16le", None),
    }
)
_READERS: Final = MappingProxyType({"mp3": "mp3", "wav": "wav", "opus": "ogg", "aac": "aac", "flac": "flac"})
_LAYOUTS: Final = MappingProxyType({1: "mono", 2: "stereo"})
_SLICE: Final = 4096  # samples given to the encoder at once


class NotTranscoded(MediaRelayError):
    """The sound could not be decoded, or not be encoded as asked."""


@frozen
class Sound:
    """Samples as a stream, to be read once.

    Attributes:
        rate: Per second.
        channels: 1 or 2.
        chunks: Signed 16-bit little-endian samples, those of one moment side by side; each chunk holds whole moments.
    """

    rate: int
    channels: int
    chunks: Iterator[bytes]


@contextmanager
def decoded(
    source: IO[bytes],
    format_: str,
    *,
    pcm_rate: int = PCM_RATE,
    sample_rate: int | None = None,
    channels: int | None = None,
    gain_db: float = 0.0,
) -> Iterator[Sound]:
    """Decode a file from its beginning.

    Args:
        source: What to read; it must be able to seek.
        format_: `mp3`, `wav`, `opus`, `aac`, `flac`, or `pcm`: headerless 16-bit mono.
        pcm_rate: The rate of headerless samples.
        sample_rate: The rate wanted; the file's own when None.
        channels: 1 or 2; the file's own, at most 2, when None.
        gain_db: How much louder; peaks stay below `CEILING_DB`.

    Raises:
        NotTranscoded: There is no sound of that format in it; also while the chunks are read.
    """
    with _faults(f"{format_} could not be decoded"), _opened(source, format_, pcm_rate) as container:
        frames = _frames(container)
        first = next(frames, None)
        if first is None:
            raise NotTranscoded(f"the {format_} holds no sound")
        own = min(first.layout.nb_channels, len(_LAYOUTS))
        rate, width = sample_rate or first.sample_rate, channels or own
        heard = _louder(chain([first], frames), gain_db) if gain_db else chain([first], frames)
        yield Sound(rate, width, _samples(heard, rate, width, format_))


def encode(
    sound: Sound, target: IO[bytes], format_: str, *, sample_rate: int | None = None, limit_bytes: int | None = None
) -> None:
    """Encode samples into a file.

    Args:
        sound: What to encode; its chunks are read to their end.
        target: An empty file that can seek: headers get their sizes at the end.
        format_: Any of our formats.
        sample_rate: Per second; the sound's own when None. A format without that rate gets the next one up.
        limit_bytes: The largest file that is wanted.

    Raises:
        NotTranscoded: It could not be encoded, or became larger than the limit.
    """
    muxer, codec, bits = _WRITERS[format_]
    rate = rate_for(format_, sample_rate or sound.rate)
    layout = _LAYOUTS[sound.channels]
    # bit-exact: no name and version of a library in the file
    with (
        _faults(f"{format_} could not be encoded"),
        av.open(target, "w", format=muxer, options={"fflags": "+bitexact"}) as container,
    ):
        stream: Any = container.add_stream(codec, rate=rate, layout=layout)
        if bits is not None:
            stream.bit_rate = bits
        at = 0
        for frame in _sliced(sound, layout):
            frame.pts, at = at, at + frame.samples
            container.mux(stream.encode(frame))
            if limit_bytes is not None and target.tell() > limit_bytes:
                raise NotTranscoded(f"more than {limit_bytes} bytes of {format_}")
        if not at:
            raise NotTranscoded("there is no sound to encode")
        container.mux(stream.encode(None))


def transcode(
    source: IO[bytes],
    source_format: str,
    target: IO[bytes],
    target_format: str,
    *,
    pcm_rate: int = PCM_RATE,
    sample_rate: int | None = None,
    loudness: float | None = None,
    limit_bytes: int | None = None,
    in_time: Callable[[], bool] = lambda: True,
) -> None:
    """Make one file of another.

    Args:
        source: See `decoded`.
        source_format: See `decoded`.
        target: See `encode`.
        target_format: See `encode`.
        pcm_rate: The rate of headerless samples in the source.
        sample_rate: The rate wanted; the source's own when None.
        loudness: The integrated loudness wanted, in LUFS; as it is when None.
        limit_bytes: The largest file that is wanted.
        in_time: Whether there is time left for more of this; asked for each frame.

    Raises:
        NotTranscoded: It could not be done; the target holds nothing of use.
    """
    gain = 0.0
    if loudness is not None:
        gain = gain_for(loudness, integrated_loudness(source, source_format, pcm_rate=pcm_rate, in_time=in_time))
    with decoded(source, source_format, pcm_rate=pcm_rate, sample_rate=sample_rate, gain_db=gain) as sound:
        timed = replace(sound, chunks=_while(in_time, sound.chunks))
        encode(timed, target, target_format, limit_bytes=limit_bytes)


def integrated_loudness(
    source: IO[bytes], format_: str, *, pcm_rate: int = PCM_RATE, in_time: Callable[[], bool] = lambda: True
) -> float:
    """Measure the integrated loudness of a file, in LUFS (EBU R 128).

    Raises:
        NotTranscoded: There is no sound of that format in it.
    """
    found = SILENCE_LUFS
    with _faults(f"{format_} could not be measured"), _opened(source, format_, pcm_rate) as container:
        frames = _while(in_time, _frames(container))
        for frame in _filtered(frames, [("ebur128", "metadata=1:framelog=quiet")]):
            found = float(frame.metadata.get("lavfi.r128.I", found))
    return found


def gain_for(wanted: float, measured: float) -> float:
    """Returns by how many decibels to raise a sound of the measured loudness; silence stays as it is."""
    if not measured > SILENCE_LUFS:
        return 0.0
    return max(-MOST_GAIN_DB, min(MOST_GAIN_DB, wanted - measured))


def rate_for(format_: str, rate: int) -> int:
    """Returns the rate at which sound of that rate is written: the next one up that the format has, or its highest."""
    allowed = RATES.get(format_)
    if allowed is None:
        return rate
    return next((one for one in allowed if one >= rate), allowed[-1])


# --- FFmpeg -------------------------------------------------------------------------------------------------------


@contextmanager
def _faults(what: str) -> Iterator[None]:
    try:
        yield
    except FFmpegError as error:
        raise NotTranscoded(f"{what}: {error.strerror}") from error


@contextmanager
def _opened(source: IO[bytes], format_: str, pcm_rate: int) -> Iterator[Any]:
    source.seek(0)
    if format_ == "pcm":
        options = {"sample_rate": str(pcm_rate), "ch_layout": "mono"}
        container: Any = av.open(source, "r", format="s16le", options=options)
    else:
        container = av.open(source, "r", format=_READERS[format_])
    with container:
        yield container


def _frames(container: Any) -> Iterator[Any]:
    return container.decode(audio=0) if container.streams.audio else iter(())


def _while(in_time: Callable[[], bool], pieces: Iterator[T]) -> Iterator[T]:
    for piece in pieces:
        if not in_time():
            raise NotTranscoded("there was no time left for it")
        yield piece


def _louder(frames: Iterator[Any], gain_db: float) -> Iterator[Any]:
    ceiling = 10 ** (CEILING_DB / 20)
    limiter = f"limit={ceiling:.4f}:level=disabled:latency=1"
    return _filtered(frames, [("volume", f"volume={gain_db:.2f}dB:precision=float"), ("alimiter", limiter)])


def _filtered(frames: Iterator[Any], filters: list[tuple[str, str]]) -> Iterator[Any]:
    """Run frames through a chain of FFmpeg's filters."""
    first = next(frames, None)
    if first is None:
        return
    graph = Graph()
    nodes = [
        graph.add_abuffer(
            sample_rate=first.sample_rate, format=first.format.name, layout=first.layout.name, time_base=first.time_base
        )
    ]
    nodes += [graph.add(name, arguments) for name, arguments in filters]
    graph.link_nodes(*nodes, graph.add("abuffersink")).configure()
    for frame in chain([first], frames, [None]):
        nodes[0].push(frame)
        while True:
            try:
                yield graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                break


def _samples(frames: Iterator[Any], rate: int, channels: int, format_: str) -> Iterator[bytes]:
    resampler = AudioResampler(format="s16", layout=_LAYOUTS[channels], rate=rate)
    with _faults(f"{format_} could not be decoded"):
        for frame in chain(frames, [None]):
            for made in resampler.resample(frame):
                yield bytes(made.planes[0])[: made.samples * channels * SAMPLE_BYTES]


def _sliced(sound: Sound, layout: str) -> Iterator[Any]:
    """The chunks as frames of a bounded size, whatever the size of a chunk."""
    width = sound.channels * SAMPLE_BYTES
    for chunk in sound.chunks:
        if len(chunk) % width:
            raise ValueError("a chunk holds part of a moment")
        for at in range(0, len(chunk), _SLICE * width):
            piece = chunk[at : at + _SLICE * width]
            frame = av.AudioFrame(format="s16", layout=layout, samples=len(piece) // width)
            frame.planes[0].update(piece)
            frame.sample_rate = sound.rate
            yield frame
