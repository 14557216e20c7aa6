"""Make the sound that was asked for of what a provider delivered: another format, another rate, another loudness.

Imported where it is used: most speech comes as it was asked for, and FFmpeg's libraries are large.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from mediarelay.request.model import TtsInput
from mediarelay.results.result_store import IN_MEMORY_BYTES, MEDIA_LIMIT_BYTES, SpooledMedia

logger = logging.getLogger(__name__)

_PIECE_BYTES: Final = 64 * 1024


@contextmanager
def remade(media: SpooledMedia, asked: TtsInput, *, in_time: Callable[[], bool]) -> Iterator[SpooledMedia]:
    """Make what was asked for of the media; what can't be is passed on as it is, with a remark: it is paid for.

    Args:
        media: Sound of any format.
        asked: Names the format, the rate and the loudness.
        in_time: Whether there is time left for more of this.
    """
    body = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 # closing may fail
    try:
        fault = _transcoded(media, asked, body, in_time)
        if fault is None:
            size, checksum = _measured(body)
            yield SpooledMedia(body, asked.format, size, checksum, made_of=media.format)
        else:
            logger.error("not transcoded", extra={"found": media.format, "wanted": asked.format, "reason": fault})
            media.body.seek(0)
            yield replace(media, remark=f"{media.format} could not be made into {asked.format} as asked ({fault})")
    finally:
        # What a full disk did not take is tried again on closing, and is no longer wanted.
        with suppress(OSError):
            body.close()


def _transcoded(media: SpooledMedia, asked: TtsInput, body: IO[bytes], in_time: Callable[[], bool]) -> str | None:
    """Why it could not be done; None when it was."""
    try:
        from mediarelay.audio.transcode import PCM_RATE, NotTranscoded, transcode  # noqa: PLC0415 # may be missing
    except ImportError:
        return "the audio layer is missing"
    try:
        transcode(
            media.body,
            media.format,
            body,
            asked.format,
            sample_rate=asked.sample_rate or (PCM_RATE if asked.format == "pcm" else None),
            loudness=asked.loudness,
            limit_bytes=MEDIA_LIMIT_BYTES,
            in_time=in_time,
        )
        body.flush()
    except NotTranscoded as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 # a library's, whatever it is: no reason to lose what was paid for
        return type(error).__name__
    return None


def _measured(body: IO[bytes]) -> tuple[int, str]:
    """Size and checksum of a file, which then is at its beginning."""
    body.seek(0, io.SEEK_SET)
    digest = hashlib.sha256()
    while piece := body.read(_PIECE_BYTES):
        digest.update(piece)
    size = body.tell()
    body.seek(0, io.SEEK_SET)
    return size, digest.hexdigest()
