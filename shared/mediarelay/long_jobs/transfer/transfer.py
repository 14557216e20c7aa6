"""Bring a finished result into the bucket, whatever its size, in bounded memory.

One part is held at a time. A transfer that breaks off goes on where it stopped when the host still has the same
content, and begins anew when it cannot say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from mediarelay.job_records.contract import Output
from mediarelay.long_jobs.transfer.ports import PART_BYTES, MediaFetcher, MediaStream, Upload, Uploads
from mediarelay.results.media_type import (
    CONTENT_TYPES,
    HEAD_BYTES,
    HEADER_BYTES,
    looks_like_text,
    mismatch,
    patches,
    sniff,
)
from mediarelay.results.result_store import NotWhatWasAsked
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import Unreachable
from mediarelay.vocabulary.frozen import frozen

TRIES: Final = 4
PAUSE_SECONDS: Final = 0.5
# Far more than a clip of fifteen seconds in 4K; a larger file is not what was asked for.
LIMIT_BYTES: Final = 2 * 1024**3


@frozen
class Wanted:
    """One file to fetch.

    Attributes:
        url: Its address; never shown to the publisher unless it could not be fetched.
        hosts: Domains on which it may be.
        formats: What it may be; its first bytes decide.
        key: Its key in the bucket, given the format.
        facts: Kept as object metadata.
    """

    url: str
    hosts: Sequence[str]
    formats: Sequence[str]
    key: Callable[[str], str]
    facts: Mapping[str, str]


@dataclass(slots=True)
class _Spooling:
    """A file being received."""

    wanted: Wanted
    uploads: Uploads
    received: int = 0
    size: int | None = None
    version: str = ""
    head: bytes = b""
    pending: bytearray = field(default_factory=bytearray)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    format: str = ""
    upload: Upload | None = None

    def restart(self) -> None:
        """Forget what was received; it may be of another content."""
        self.abandon()
        self.received, self.version, self.head, self.format = 0, "", b"", ""
        self.pending.clear()
        self.digest = hashlib.sha256()

    def abandon(self) -> None:
        """Abort the upload."""
        if self.upload is not None:
            self.upload.abort()
            self.upload = None

    def take(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self.received += len(chunk)
        if self.received > LIMIT_BYTES:
            raise NotWhatWasAsked(f"more than {LIMIT_BYTES} bytes")
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + chunk)[:HEAD_BYTES]
        self.pending += chunk
        while len(self.pending) > PART_BYTES:
            self._send(bytes(self.pending[:PART_BYTES]))
            del self.pending[:PART_BYTES]

    def finish(self) -> Output:
        """Verify the file, now that all of it was received, upload the rest, and complete it."""
        self.size = self.received
        self._send(bytes(self.pending))
        self.pending.clear()
        if self.upload is None:
            raise NotWhatWasAsked("nothing was uploaded")
        self.upload.complete()
        self.upload = None
        return Output(
            key=self.wanted.key(self.format),
            content_type=CONTENT_TYPES[self.format],
            bytes=self.received,
            sha256=self.digest.hexdigest(),
        )

    def _send(self, data: bytes) -> None:
        if self.upload is None:
            self.format = self._verified()
            key, kind = self.wanted.key(self.format), CONTENT_TYPES[self.format]
            self.upload = self.uploads.begin(key, kind, self.wanted.facts)
            data = self._with_right_sizes(data)
        self.digest.update(data)
        self.upload.part(data)

    def _with_right_sizes(self, first: bytes) -> bytes:
        """Return the first part with the sizes in a WAV file's header as they are, where the host says the file's."""
        if self.format != "wav" or self.size is None:
            return first
        right = bytearray(first)
        for at, data in patches(first[:HEADER_BYTES], self.size):
            right[at : at + len(data)] = data
        return bytes(right)

    def _verified(self) -> str:
        """Return the format, by the first bytes, before any of them is stored."""
        found = sniff(self.head)
        expected = found if found is not None and found in self.wanted.formats else self.wanted.formats[0]
        reason = mismatch(self.head, self.received, expected)
        if reason is not None:
            raise NotWhatWasAsked(reason, page=looks_like_text(self.head))
        return expected


class Transfer:
    """Fetches results. Thread-safe."""

    def __init__(self, fetcher: MediaFetcher, uploads: Uploads, clock: Clock) -> None:
        self._fetcher = fetcher
        self._uploads = uploads
        self._clock = clock

    def fetch(self, wanted: Wanted, *, deadline: float) -> Output:
        """Store the file; `deadline` in unix seconds.

        Raises:
            Unreachable: It could not be fetched in full; a later try may succeed.
            NotWhatWasAsked: The file is something else, such as an error page.
            StoreUnavailable: The bucket is unavailable.
        """
        spooling = _Spooling(wanted, self._uploads)
        try:
            return self._spooled(spooling, deadline)
        except BaseException:
            spooling.abandon()
            raise

    def _spooled(self, spooling: _Spooling, deadline: float) -> Output:
        for attempt in range(1, TRIES + 1):
            try:
                self._stream(spooling, deadline)
                return spooling.finish()
            except Unreachable:
                pause = PAUSE_SECONDS * 2.0 ** (attempt - 1)
                if attempt == TRIES or self._clock.now() + pause >= deadline:
                    raise
            self._clock.sleep(pause)
        raise AssertionError("unreachable: the last try returns or raises")

    def _stream(self, spooling: _Spooling, deadline: float) -> None:
        wanted = spooling.wanted
        with self._fetcher.open(
            wanted.url, hosts=wanted.hosts, offset=spooling.received, version=spooling.version, deadline=deadline
        ) as stream:
            self._join(spooling, stream)
            for chunk in stream.chunks():
                spooling.take(chunk)
            if stream.size is not None and spooling.received != stream.size:
                raise Unreachable("truncated_body", f"{spooling.received} of {stream.size} bytes came", sent=True)

    def _join(self, spooling: _Spooling, stream: MediaStream) -> None:
        if spooling.received and stream.offset != spooling.received:
            spooling.restart()
        if stream.offset != spooling.received:
            raise Unreachable("wrong_range", "the host answered with another part of the file", sent=True)
        if stream.size is not None and stream.size > LIMIT_BYTES:
            raise NotWhatWasAsked(f"{stream.size} bytes")
        spooling.version, spooling.size = stream.version, stream.size
