"""What a person wants to know of a file, read from its first bytes; and figures as people read them."""

from __future__ import annotations

import re
import struct
from typing import Final

_MP3_BITRATES: Final = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES: Final = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MPEG1: Final = 3
_MPEG1_SAMPLES: Final = 1152
# Eleven bits of synchronisation, any version, layer III; then the bit rate and the rest.
_MP3_FRAME: Final = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]..", re.DOTALL)
_WAV_HEADER: Final = 44
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_ARTICLES: Final = frozenset({"a", "an", "the"})
_MINUTE: Final = 60
_KILO: Final = 1000
_CENT: Final = 0.1


def described(content: bytes, content_type: str) -> str:
    """Return how long or how large it is, such as `0.7 s of speech` or `1024x1024`; empty where nobody knows."""
    kind, _, of = content_type.partition(";")[0].partition("/")
    if kind == "image":
        return _pixels(content)
    seconds = {"mpeg": _mp3_seconds, "wav": _wav_seconds, "x-wav": _wav_seconds, "mp4": _mp4_seconds}.get(of)
    found = seconds(content) if seconds else 0.0
    return f"{found:.1f} s" if found else ""


def _pixels(content: bytes) -> str:
    if content.startswith(_PNG):
        return "{}x{}".format(*struct.unpack(">II", content[16:24]))
    place = 2
    while content[:2] == b"\xff\xd8" and place + 9 < len(content) and content[place] == 0xFF:  # noqa: PLR2004 # JPEG's marks
        if content[place + 1] in {0xC0, 0xC1, 0xC2}:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return f"{width}x{height}"
        place += 2 + int(struct.unpack(">H", content[place + 2 : place + 4])[0])
    return ""


def _mp3_seconds(content: bytes) -> float:
    """Return how long its frames play, each by its own header."""
    place = 10 + _syncsafe(content[6:10]) if content.startswith(b"ID3") else max(0, content.find(b"\xff"))
    seconds = 0.0
    while frame := _MP3_FRAME.match(content, place):
        head = int.from_bytes(frame[0], "big")
        version, rates, bits = head >> 19 & 3, head >> 10 & 3, head >> 12 & 15
        if version not in _MP3_RATES or rates >= len(_MP3_RATES[version]) or not 0 < bits < len(_MP3_BITRATES[True]):
            break
        rate = _MP3_RATES[version][rates]
        samples = _MPEG1_SAMPLES if version == _MPEG1 else _MPEG1_SAMPLES // 2
        seconds += samples / rate
        place += samples // 8 * _MP3_BITRATES[version == _MPEG1][bits] * _KILO // rate + (head >> 9 & 1)
    return seconds


def _syncsafe(four: bytes) -> int:
    return sum(byte << 7 * (3 - number) for number, byte in enumerate(four))


def _wav_seconds(content: bytes) -> float:
    if content[:4] != b"RIFF" or len(content) < _WAV_HEADER:
        return 0.0
    rate = int(struct.unpack("<I", content[28:32])[0])
    return (len(content) - _WAV_HEADER) / rate if rate else 0.0


def _mp4_seconds(content: bytes) -> float:
    place = content.find(b"mvhd")
    if place < 0 or place + 24 > len(content):
        return 0.0
    if content[place + 4]:  # of the version with long numbers
        scale, length = struct.unpack(">IQ", content[place + 24 : place + 36])
    else:
        scale, length = struct.unpack(">II", content[place + 16 : place + 24])
    return float(length / scale) if scale else 0.0


def size(count: int) -> str:
    """Return bytes as people read them: 18 KB, 6.1 MB."""
    if count < _KILO * _KILO:
        return f"{max(1, round(count / _KILO))} KB"
    return f"{count / _KILO / _KILO:.1f} MB"


def span(seconds: float) -> str:
    """Return a time as people read it: 1.4 s, 118 s as 1m58s, 2h05m."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def money(dollars: float) -> str:
    """Return US dollars, with four digits where that is little."""
    return f"${dollars:,.2f}" if dollars >= _CENT or not dollars else f"${dollars:.4f}"


def short(long_id: str) -> str:
    """Return an id as it is told apart by people."""
    return long_id if len(long_id) <= 12 else f"{long_id[:6]}…"  # noqa: PLR2004 # as long as a key's id


def file_stem(text: str, kind: str) -> str:
    """Return what a file is called that nobody named: the first word of what was asked."""
    words = [word for word in re.findall(r"[^\W_]+", text.lower()) if word not in _ARTICLES]
    return words[0][:40] if words else kind


def seconds_of(text: str) -> float:
    """Return a span such as 90, 45s, 10m, 2h or 7d in seconds. Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None:
        raise ValueError(f"{text} is no span such as 45s, 10m, 2h or 7d")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[found[2]]
