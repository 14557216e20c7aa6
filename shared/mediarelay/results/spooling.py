"""Take in what a provider delivered: spool it, verify it, know its size and checksum before it is stored."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from mediarelay.results import wav
from mediarelay.results.media_type import CONTENT_TYPES, HEAD_BYTES, instead, looks_like_text, mismatch
from mediarelay.results.speech_length import not_speech
from mediarelay.vocabulary.errors import MediaRelayError

# Speech and pictures are a few MB; beyond this the spool goes to /tmp, so that ten at once never fill a 512 MB worker.
IN_MEMORY_BYTES: Final = 8 * 1024 * 1024
# No speech or picture of any provider comes near this; a larger body is not what was asked for.
MEDIA_LIMIT_BYTES: Final = 256 * 1024 * 1024


class NotWhatWasAsked(MediaRelayError):
    """The bytes are not the media that was asked for.

    Attributes:
        page: Whether they are a text, such as the error page of some host.
    """

    def __init__(self, reason: str, *, page: bool = False) -> None:
        self.page = page
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class SpooledMedia:
    """Verified media, ready to be stored from its beginning.

    Attributes:
        format: What it is, by its bytes.
        sha256: Hexadecimal.
        remark: How it differs from what was asked for; empty when it doesn't.
    """

    body: IO[bytes]
    format: str
    size: int
    sha256: str
    remark: str = ""

    @property
    def content_type(self) -> str:
        """The media type of the format."""
        return CONTENT_TYPES[self.format]


@contextmanager
def spooled(chunks: Iterable[bytes], expected: str, *, text: str | None = None) -> Iterator[SpooledMedia]:
    """Spool *chunks* and verify them. The sizes in the header of a WAV file are corrected.

    Args:
        chunks: The media.
        expected: The format that was asked for; another one that serves the same purpose passes with a remark.
        text: What the media is to say; None when it is no speech.

    Raises:
        NotWhatWasAsked: They are something else, can't be speech of the text, or are too large.
    """
    digest, size = hashlib.sha256(), 0
    with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as body:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            if size > MEDIA_LIMIT_BYTES:
                raise NotWhatWasAsked(f"more than {MEDIA_LIMIT_BYTES} bytes")
            body.write(chunk)
        head = _head(body)
        reason = mismatch(head[:HEAD_BYTES], size, expected)
        format_ = expected if reason is None else instead(head[:HEAD_BYTES], expected)
        if format_ is None:
            raise NotWhatWasAsked(str(reason), page=looks_like_text(head[:HEAD_BYTES]))
        silence = _no_sound(format_, head, size, text)
        if silence is not None:
            raise NotWhatWasAsked(silence)
        checksum = digest.hexdigest()
        if format_ == "wav" and (wrong := wav.patches(head, size)):
            checksum = _patched(body, wrong)
        body.seek(0, io.SEEK_SET)
        yield SpooledMedia(body, format_, size, checksum, reason or "")


def _head(body: IO[bytes]) -> bytes:
    body.seek(0)
    return body.read(wav.HEADER_BYTES)


def _no_sound(format_: str, head: bytes, size: int, text: str | None) -> str | None:
    """Why this can't be what was to be said; of a WAV without samples also where nothing was."""
    if format_ != "wav":
        return None if text is None else not_speech(format_, size, 0, text)
    header = wav.read_header(head, size)
    return not_speech(format_, header.sound_bytes(size), header.byte_rate, text or "")


def _patched(body: IO[bytes], wrong: Sequence[tuple[int, bytes]]) -> str:
    """Write what is right, and compute the checksum again."""
    for at, data in wrong:
        body.seek(at)
        body.write(data)
    body.seek(0)
    digest = hashlib.sha256()
    while chunk := body.read(wav.HEADER_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
