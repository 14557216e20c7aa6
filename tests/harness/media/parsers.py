"""What a player makes of the simulator's media: FFmpeg decodes sound and clips to the end, Pillow opens pictures."""

import io
import struct
from dataclasses import dataclass

import av
from PIL import Image

# Pixels from the edge of a clip, where its colour is read.
EDGE = 40


@dataclass(frozen=True)
class Heard:
    """Sound as decoded: seconds, rate in Hz, average bit rate in kbit/s, and 16-bit samples."""

    codec: str
    seconds: float
    rate: int
    kbps: int
    samples: tuple[int, ...]


@dataclass(frozen=True)
class Seen:
    """A clip as decoded: seconds, pixels, how many pictures, and the colour of the first and the last."""

    seconds: float
    size: tuple[int, int]
    pictures: int
    first: tuple[int, int, int]
    last: tuple[int, int, int]


def heard(data: bytes) -> Heard:
    """Decode all of a sound."""
    with av.open(io.BytesIO(data)) as file:
        (stream,) = file.streams
        to_mono = av.AudioResampler(format="s16", layout="mono")
        samples = b"".join(
            bytes(part.planes[0])[: 2 * part.samples]
            for frame in [*file.decode(stream), None]
            for part in to_mono.resample(frame)
        )
        count = len(samples) // 2
        seconds = count / stream.rate
        kbps = round(len(data) * 8 / seconds / 1000)
        return Heard(stream.codec.name, seconds, stream.rate, kbps, struct.unpack(f"<{count}h", samples))


def seen(data: bytes) -> Seen:
    """Decode all of a clip."""
    with av.open(io.BytesIO(data)) as file:
        (stream,) = file.streams
        assert stream.codec.name == "h264"
        pictures = [frame.to_image() for frame in file.decode(stream)]
        first, last = (shown.getpixel((EDGE, EDGE)) for shown in (pictures[0], pictures[-1]))
        return Seen(file.duration / av.time_base, pictures[0].size, len(pictures), first, last)


def picture(data: bytes, kind: str) -> Image.Image:
    """Decode a picture, which must be of that kind."""
    opened = Image.open(io.BytesIO(data), formats=[kind])
    opened.load()
    return opened
