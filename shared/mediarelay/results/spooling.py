"""Take in what a provider delivered: spool it, verify it, know its size and checksum before it is stored."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from mediarelay.results.media_type import CONTENT_TYPES, HEAD_BYTES, mismatch
from mediarelay.vocabulary.errors import MediaRelayError

# Speech and pictures are a few MB; beyond this the spool goes to /tmp, so that ten at once never fill a 512 MB worker.
IN_MEMORY_BYTES: Final = 8 * 1024 * 1024
# No speech or picture of any provider comes near this; a larger body is not what was asked for.
MEDIA_LIMIT_BYTES: Final = 256 * 1024 * 1024


class NotWhatWasAsked(MediaRelayError):
    """The bytes are not the media that was asked for."""


@dataclass(frozen=True, slots=True)
class SpooledMedia:
    """Verified media, ready to be stored from its beginning. `sha256` is hexadecimal."""

    body: IO[bytes]
    content_type: str
    size: int
    sha256: str


@contextmanager
def spooled(chunks: Iterable[bytes], expected: str) -> Iterator[SpooledMedia]:
    """Spool *chunks* and verify that they are of the *expected* format.

    Raises:
        NotWhatWasAsked: They are something else, or too large.
    """
    digest, size = hashlib.sha256(), 0
    with SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as body:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            if size > MEDIA_LIMIT_BYTES:
                raise NotWhatWasAsked(f"more than {MEDIA_LIMIT_BYTES} bytes")
            body.write(chunk)
        body.seek(0)
        reason = mismatch(body.read(HEAD_BYTES), size, expected)
        if reason is not None:
            raise NotWhatWasAsked(reason)
        body.seek(0, io.SEEK_SET)
        yield SpooledMedia(body, CONTENT_TYPES[expected], size, digest.hexdigest())
