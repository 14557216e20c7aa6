"""The parts of a text as one file: read, decoded, joined and encoded as a stream, through files on disk.

Whatever the length, memory holds a piece of a file and a fraction of a second of sound. FFmpeg's libraries are imported
when there is something to join.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Final

from mediarelay.audio.times import FORMATS, joined, read, written
from mediarelay.job_records.contract import Output
from mediarelay.long_jobs.transfer.ports import PART_BYTES, Uploads
from mediarelay.long_speech.joints import smoothed
from mediarelay.results.media_type import CONTENT_TYPES
from mediarelay.results.ports import MediaStore
from mediarelay.vocabulary.errors import MediaRelayError
from mediarelay.vocabulary.frozen import frozen

_BETWEEN: Final = "wav"  # what is levelled has to be heard in full first


class CannotJoin(MediaRelayError):
    """A part is no sound, or what they make can't be written in the format that was asked for."""


@frozen
class Sounds:
    """What is to be joined into what.

    Attributes:
        files: The parts, in order.
        format: Of the whole.
        key: Of the whole, in the bucket.
        facts: What is kept with it.
        sample_rate: Of the whole; when None that of the first part, or what `pcm` means.
        loudness: Of the whole, in LUFS; as it is when None.
    """

    files: Sequence[Output]
    format: str
    key: str
    facts: Mapping[str, str]
    sample_rate: int | None = None
    loudness: float | None = None


class PartJoiner:
    """Joins. One per worker."""

    def __init__(self, store: MediaStore, uploads: Uploads) -> None:
        self._store = store
        self._uploads = uploads

    def check(self) -> None:
        """Make sure that joining is possible where the function runs, before anything is bought.

        Raises:
            CannotJoin: FFmpeg's libraries don't load here.
        """
        try:
            import mediarelay.audio.transcode  # noqa: F401, PLC0415 # as below
        except ImportError as error:
            raise CannotJoin("FFmpeg's libraries are missing in this runtime") from error

    def join(self, wanted: Sounds) -> Output:
        """Make one file of the parts, and store it.

        Raises:
            CannotJoin: See there.
            StoreUnavailable: The bucket is unavailable.
        """
        return self._joined(wanted, of=1)[0]

    def join_timed(self, wanted: Sounds, times: Sequence[Output], unit: str) -> list[Output]:
        """Make one file of the parts, and those beside it that tell when its words or sentences are heard.

        Args:
            wanted: See there.
            times: Of each part the JSON file that tells it.
            unit: `word` or `sentence`.

        Raises:
            CannotJoin: See there.
            StoreUnavailable: The bucket is unavailable.
        """
        of_parts = [read(self._document(file)) for file in times]
        whole, seconds = self._joined(wanted, of=1 + len(FORMATS))
        outputs = [whole]
        for number, (format_, data) in enumerate(written(joined(of_parts, seconds), unit).items(), 1):
            stem = wanted.key.rpartition("-")[0]
            checksum, kind = hashlib.sha256(data).hexdigest(), CONTENT_TYPES[format_]
            output = Output(key=f"{stem}-{number}.{format_}", content_type=kind, bytes=len(data), sha256=checksum)
            facts = {**wanted.facts, "index": str(number), "outputs": str(1 + len(FORMATS))}
            self._store.put(output, io.BytesIO(data), facts)
            outputs.append(output)
        return outputs

    def _joined(self, wanted: Sounds, *, of: int) -> tuple[Output, list[float]]:
        """The whole as one of so many outputs, and how long each part is in it."""
        from mediarelay.audio.transcode import PCM_RATE, NotTranscoded, transcode  # noqa: PLC0415 # takes a second

        rate = wanted.sample_rate or (PCM_RATE if wanted.format == "pcm" else None)
        with TemporaryFile() as target:
            try:
                if wanted.loudness is None:
                    seconds = self._write(wanted.files, target, wanted.format, rate)
                else:
                    with TemporaryFile() as whole:
                        seconds = self._write(wanted.files, whole, _BETWEEN, None)
                        loudness = wanted.loudness
                        transcode(whole, _BETWEEN, target, wanted.format, sample_rate=rate, loudness=loudness)
            except NotTranscoded as error:
                raise CannotJoin(str(error)) from error
            return self._stored(target, wanted, of), seconds

    def _write(self, files: Sequence[Output], target: IO[bytes], format_: str, sample_rate: int | None) -> list[float]:
        from mediarelay.audio.transcode import SAMPLE_BYTES, Sound, decoded, encode  # noqa: PLC0415 # as above

        with self._part(files[0]) as first, decoded(first, _format(files[0])) as sound:
            rate, channels = sound.rate, sound.channels
        seconds: list[float] = []

        def samples() -> Iterator[bytes]:
            for file in files:
                with (
                    self._part(file) as part,
                    decoded(part, _format(file), sample_rate=rate, channels=channels) as heard,
                ):
                    seconds.append(0.0)
                    for chunk in smoothed(heard.chunks, rate, channels):
                        seconds[-1] += len(chunk) / (SAMPLE_BYTES * channels * rate)
                        yield chunk

        encode(Sound(rate, channels, samples()), target, format_, sample_rate=sample_rate)
        return seconds

    def _document(self, file: Output) -> bytes:
        document = io.BytesIO()
        self._store.read(file.key, document)
        return document.getvalue()

    @contextmanager
    def _part(self, file: Output) -> Iterator[IO[bytes]]:
        with TemporaryFile() as part:
            self._store.read(file.key, part)
            part.seek(0)
            yield part

    def _stored(self, target: IO[bytes], wanted: Sounds, of: int) -> Output:
        digest, size, kind = hashlib.sha256(), 0, CONTENT_TYPES[wanted.format]
        target.seek(0)
        upload = self._uploads.begin(wanted.key, kind, {**wanted.facts, "index": "0", "outputs": str(of)})
        try:
            while piece := target.read(PART_BYTES):
                digest.update(piece)
                size += len(piece)
                upload.part(piece)
            upload.complete()
        except BaseException:
            upload.abort()
            raise
        return Output(key=wanted.key, content_type=kind, bytes=size, sha256=digest.hexdigest())


def _format(file: Output) -> str:
    return file.key.rpartition(".")[2]
