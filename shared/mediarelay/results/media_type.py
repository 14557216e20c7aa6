"""Tell media from its first bytes, so that an error page with status 200 is never stored as a WAV.

Signatures: RIFF/WAVE and RIFF/WEBP (Microsoft RIFF), ID3 and MPEG frame sync (ISO 11172-3), ADTS sync (ISO 13818-7),
OggS (RFC 3533), fLaC (RFC 9639), PNG (ISO 15948), JPEG SOI (ITU T.81), ftyp (ISO 14496-12). Raw PCM has no signature:
anything passes that is neither plainly text nor opens with the long signature of something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

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
