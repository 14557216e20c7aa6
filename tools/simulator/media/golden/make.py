"""Make the golden bytes again; README.md beside this file says what is in them."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import av
from PIL import Image

from tools.simulator.media.colour import PALETTE_SIZE, colour_of

HERE: Final = Path(__file__).parent
MP3: Final = ((22050, 32), (24000, 48), (24000, 128), (32000, 128), *((44100, kbps) for kbps in (32, 64, 96, 128, 192)))
RATE: Final = 24000
AAC_KBPS: Final = 64
OPUS_RATE: Final = 48000
OPUS_KBPS: Final = 8
PITCHES: Final = 8
TICK_MS: Final = 60
# Enough for the longest speech, and a tick for the few milliseconds that an Opus stream has to skip.
TICKS: Final = 167
# Samples in a wave: a whole number of waves fills a frame of the codec, so that the frame may follow itself.
WAVE: Final = 32
MP3_WAVE: Final = 36
MP3_PADDED: Final = 0x02
PICTURES: Final = 25
MS_PER_PICTURE: Final = 200
EDGES: Final = (320, 192)


class _Pipe(io.BytesIO):
    """Can't be rewound: the length of what is written to it is left open in the header, as in a live stream."""

    def seekable(self) -> bool:
        return False


def _sound(rate: int, samples: list[int]) -> av.AudioFrame:
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(samples))
    data = b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
    frame.planes[0].update(data.ljust(frame.planes[0].buffer_size, b"\0"))
    frame.sample_rate = rate
    frame.pts = 0
    return frame


def _tone(rate: int, wave: int) -> av.AudioFrame:
    """Return three seconds of a sine tone."""
    return _sound(rate, [round(8000 * math.sin(2 * math.pi * at / wave)) for at in range(3 * rate)])


def _encoded(
    codec: str, muxer: str, frame: av.AudioFrame, muxing: dict[str, str], kbps: int = 0, **options: str
) -> tuple[bytes, list[int]]:
    """Return what the container holds, its length unknown to it, and where each packet of the codec ends in it."""
    pipe = _Pipe()
    ends = []
    with av.open(pipe, "w", format=muxer, options={"fflags": "+bitexact", "flush_packets": "1", **muxing}) as out:
        stream: Any = out.add_stream(codec, rate=frame.sample_rate, layout="mono", options=options)
        if kbps:
            stream.bit_rate = 1000 * kbps
        for given in (frame, None):
            for packet in stream.encode(given):
                out.mux(packet)
                ends.append(pipe.tell())
    return pipe.getvalue(), ends


def _amid(data: bytes, ends: list[int]) -> Iterator[bytes]:
    """Yield the packets that come once the tone is steady."""
    for start, end in pairwise(ends[10:-2]):
        yield data[start:end]


def mp3(rate: int, kbps: int) -> bytes:
    """Return a frame that needs nothing of its neighbours and has no padding."""
    bare = {"write_xing": "0", "id3v2_version": "0"}
    frames = _amid(*_encoded("libmp3lame", "mp3", _tone(rate, MP3_WAVE), bare, kbps, reservoir="0"))
    return next(frame for frame in frames if not frame[2] & MP3_PADDED)


def aac() -> bytes:
    """Return one frame with its ADTS header."""
    return next(_amid(*_encoded("aac", "adts", _tone(RATE, WAVE), {}, AAC_KBPS)))


def opus() -> bytes:
    """Return a stream of silence, a page for every tick."""
    silence = _sound(OPUS_RATE, [0] * (TICKS * TICK_MS * OPUS_RATE // 1000))
    paged = {"page_duration": str(1000 * TICK_MS)}
    return _encoded("libopus", "opus", silence, paged, OPUS_KBPS, frame_duration=str(TICK_MS))[0]


def flac(pitch: int) -> bytes:
    """Return a stream that rests at a level of its own, a frame for every tick."""
    block = TICK_MS * RATE // 1000
    level = _sound(RATE, [1 + pitch] * (TICKS * block))
    return _encoded("flac", "flac", level, {"metadata_header_padding": "0"}, frame_size=str(block))[0]


def clip(colour: int) -> bytes:
    """Return a clip of one colour: a picture, and repeats of it."""
    file = io.BytesIO()
    muxing = {"fflags": "+bitexact", "movie_timescale": "1000", "video_track_timescale": "1000", "use_editlist": "0"}
    settings = {"profile": "baseline", "g": str(PICTURES), "x264-params": "scenecut=0", "flags": "+bitexact"}
    with av.open(file, "w", format="mp4", options=muxing) as out:
        stream: Any = out.add_stream("libx264", rate=1000 // MS_PER_PICTURE, options=settings)
        stream.width, stream.height = EDGES
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        picture = av.VideoFrame.from_image(  # type: ignore[no-untyped-call] # PyAV leaves it without types
            Image.new("RGB", EDGES, colour_of(colour))
        )
        for number in range(PICTURES):
            frame = picture.reformat(format="yuv420p")
            frame.pts, frame.time_base = number * MS_PER_PICTURE, stream.time_base
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)
    return file.getvalue()


def main() -> None:
    """Write every file."""
    for rate, kbps in MP3:
        (HERE / f"tick_{rate}_{kbps}.mp3").write_bytes(mp3(rate, kbps))
    (HERE / "tick.aac").write_bytes(aac())
    (HERE / "silence.opus").write_bytes(opus())
    for pitch in range(PITCHES):
        (HERE / f"level_{pitch}.flac").write_bytes(flac(pitch))
    for colour in range(PALETTE_SIZE):
        (HERE / f"clip_{colour:02d}.mp4").write_bytes(clip(colour))


if __name__ == "__main__":
    main()
