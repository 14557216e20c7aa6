"""Tell media from its first bytes, so that an error page with status 200 is never stored as a WAV.

Signatures: RIFF/WAVE and RIFF/WEBP (Microsoft RIFF), ID3 and MPEG frame sync (ISO 11172-3), ADTS sync (ISO 13818-7),
OggS (RFC 3533), fLaC (RFC 9639), PNG (ISO 15948), JPEG SOI (ITU T.81), ftyp (ISO 14496-12). Raw PCM has no signature:
anything passes that is neither plainly text nor opens with the long signature of something else.

A WAV file is "RIFF", size, "WAVE", then chunks of a name, a size and a body that is padded to whole words; samples are
the body of "data". A vendor that streams does not know the sizes yet (OpenAI's are 0xFFFFFFFF), so they are corrected.

Sound that can't be the speech of a text is told by bounds far from anything heard: speech at four times its pace is
about 60 characters a second, and the bytes of a second are those of the lowest bit rate in use for each format.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mediarelay.vocabulary.frozen import frozen

HEAD_BYTES: Final = 64

CONTENT_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mp3": "audio/mpeg",
        "wav": "audio/wav",
        "opus": "audio/ogg",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "pcm": "audio/pcm",
        "png": "image/png",
        "jpeg": "image/jpeg",
        "webp": "image/webp",
        "mp4": "video/mp4",
        # Beside speech, when its words are heard: SubRip has no registered type, and this is the usual one.
        "json": "application/json",
        "srt": "application/x-subrip",
        "vtt": "text/vtt",
    }
)

_FAMILIES: Final = (
    frozenset({"mp3", "wav", "opus", "aac", "flac", "pcm"}),
    frozenset({"png", "jpeg", "webp"}),
    frozenset({"mp4"}),
)
# Signatures that samples never have by chance.
_LONG_SIGNATURES: Final = frozenset({"wav", "webp", "mp4", "opus", "flac", "png"})
_TEXT_OPENINGS: Final = (b"<", b"{", b"[")
_FRAME_SYNC: Final = 0xFF


def sniff(head: bytes) -> str | None:
    """Return the format that the bytes announce; None when they announce none."""
    for name, matches in _SIGNATURES.items():
        if matches(head):
            return name
    return None


def mismatch(head: bytes, size: int, expected: str) -> str | None:
    """Return why these bytes are not *expected*, in words for an error; None when they are.

    Args:
        head: The first `HEAD_BYTES` of the media, or all of it when shorter.
        size: Its whole length in bytes.
        expected: A key of `CONTENT_TYPES`.
    """
    if size == 0:
        return f"asked for {expected}, got an empty body"
    if looks_like_text(head):
        return f"asked for {expected}, got text"
    found = sniff(head)
    if expected == "pcm" and found not in _LONG_SIGNATURES:
        return None if size % 2 == 0 else "asked for 16-bit pcm, got an odd number of bytes"
    return None if found == expected else f"asked for {expected}, got {found or 'unknown bytes'}"


def instead(head: bytes, expected: str) -> str | None:
    """The format of bytes that are not *expected* and serve the same purpose: they can be heard, or seen, as well."""
    found = sniff(head)
    return found if any({found, expected} <= family for family in _FAMILIES) else None


def looks_like_text(head: bytes) -> bool:
    """Tell whether the bytes begin like HTML, XML or JSON."""
    return head.lstrip()[:1] in _TEXT_OPENINGS and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head)


def _is_mpeg_audio(head: bytes) -> bool:
    if head.startswith(b"ID3"):
        return True
    layer_bits = 0x06  # zero layer bits mean ADTS (AAC), anything else MPEG audio
    return len(head) > 1 and head[0] == _FRAME_SYNC and head[1] & 0xE0 == 0xE0 and bool(head[1] & layer_bits)


def _is_adts(head: bytes) -> bool:
    return len(head) > 1 and head[0] == _FRAME_SYNC and head[1] & 0xF6 == 0xF0


_SIGNATURES: Final = MappingProxyType(
    {
        "wav": lambda head: head[:4] == b"RIFF" and head[8:12] == b"WAVE",
        "webp": lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
        "mp4": lambda head: head[4:8] == b"ftyp",
        "opus": lambda head: head.startswith(b"OggS"),
        "flac": lambda head: head.startswith(b"fLaC"),
        "png": lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"),
        "jpeg": lambda head: head.startswith(b"\xff\xd8\xff"),
        "aac": _is_adts,
        "mp3": _is_mpeg_audio,
    }
)


_RIFF_BYTES: Final = 12
_CHUNK: Final = struct.Struct("<4sI")
_SIZE: Final = struct.Struct("<I")
_FORMAT: Final = struct.Struct("<HHIIHH")
_LARGEST: Final = 0xFFFF_FFFF
# Chunks before the samples (names, dates, padding) are short; of samples that begin farther back nothing is known.
HEADER_BYTES: Final = 64 * 1024


@frozen
class WavHeader:
    """What a header says.

    Attributes:
        data_at: Where the samples begin; None when no chunk of samples was found.
        data_bytes: How long they are by the header.
        byte_rate: Bytes of a second; 0 when it isn't said.
    """

    data_at: int | None
    data_bytes: int
    byte_rate: int

    def sound_bytes(self, size: int) -> int:
        """Returns how many bytes of samples a file of that size has."""
        return 0 if self.data_at is None else max(0, min(self.data_bytes, size - self.data_at))


def read_header(head: bytes, size: int) -> WavHeader:
    """Returns what the first `HEADER_BYTES` of a WAV file of that size say, with the samples' size as it really is."""
    at, byte_rate = _RIFF_BYTES, 0
    while at + _CHUNK.size <= len(head):
        name, length = _CHUNK.unpack_from(head, at)
        body = at + _CHUNK.size
        if name == b"data":
            # What is behind samples of a known size are other chunks; behind those of none there are only samples.
            known = 0 < length <= size - body
            return WavHeader(body, length if known else size - body, byte_rate)
        if name == b"fmt " and body + _FORMAT.size <= len(head):
            byte_rate = _FORMAT.unpack_from(head, body)[3]
        at = body + length + length % 2
    return WavHeader(None, 0, byte_rate)


def patches(head: bytes, size: int) -> list[tuple[int, bytes]]:
    """Returns what is to be written where, so that the sizes in the header of a file of that size are right."""
    header = read_header(head, size)
    wanted = [(4, size - 8)]
    if header.data_at is not None:
        wanted.append((header.data_at - 4, header.data_bytes))
    right = [(at, _SIZE.pack(min(length, _LARGEST))) for at, length in wanted]
    return [(at, data) for at, data in right if head[at : at + len(data)] != data]


FASTEST_CHARACTERS_PER_SECOND: Final = 200
# Short texts may be a sound, a name or nothing that is read aloud.
FREE_CHARACTERS: Final = 40
SLIMMEST_BYTES_PER_SECOND: Final[Mapping[str, int]] = MappingProxyType(
    {"mp3": 1000, "opus": 500, "aac": 1000, "flac": 2000, "pcm": 16_000}
)
# Less than this holds a container's header and no sound.
SMALLEST_BYTES: Final[Mapping[str, int]] = MappingProxyType({"mp3": 24, "opus": 28, "aac": 8, "flac": 42, "pcm": 2})

# Markup and stage directions are not read aloud.
_UNSPOKEN: Final = re.compile(r"<[^<>]*>|\[[^\[\]]*\]")


def spoken_characters(text: str) -> int:
    """Returns how many letters and digits of the text are read aloud."""
    return sum(map(str.isalnum, _UNSPOKEN.sub(" ", text)))


def not_speech(format_: str, sound_bytes: int, bytes_per_second: int, text: str) -> str | None:
    """Returns why so much sound can't be the text, in words for an error; None when it may be.

    Args:
        format_: The container.
        sound_bytes: What it holds of sound: all of the file where its header isn't read.
        bytes_per_second: As its header says; 0 where it isn't read.
        text: What was to be said.
    """
    if sound_bytes < SMALLEST_BYTES.get(format_, 1):
        return f"{format_} of {sound_bytes} bytes holds no sound"
    rate = bytes_per_second or SLIMMEST_BYTES_PER_SECOND.get(format_, SLIMMEST_BYTES_PER_SECOND["pcm"])
    characters, longest = spoken_characters(text), sound_bytes / rate
    if characters <= FREE_CHARACTERS + longest * FASTEST_CHARACTERS_PER_SECOND:
        return None
    return f"{format_} of at most {longest:.2f} seconds can't be speech of {characters} letters"
