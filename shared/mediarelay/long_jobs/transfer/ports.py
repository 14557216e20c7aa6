"""Media hosts and multipart uploads, as ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol


class MediaStream(Protocol):
    """A media file as it comes."""

    @property
    def offset(self) -> int:
        """Where in the file it begins: what was asked for, or 0 when the host does not resume."""

    @property
    def size(self) -> int | None:
        """Of the whole file in bytes, where the host says it."""

    @property
    def version(self) -> str:
        """What the host calls this content, to go on with the same; empty when it does not say."""

    def chunks(self) -> Iterator[bytes]:
        """The bytes from `offset` on; raises `Unreachable` when they break off or run past the deadline."""


class MediaFetcher(Protocol):
    """Fetches results from media hosts, without credentials."""

    def open(
        self, url: str, *, hosts: Sequence[str], offset: int, version: str, deadline: float
    ) -> AbstractContextManager[MediaStream]:
        """GET, from *offset* on when *version* is still what the host has.

        Raises:
            Unreachable: The host or a redirect is not allowed, or gave no usable answer.
        """


class Upload(Protocol):
    """A file on its way into the bucket. Both raise `StoreUnavailable`."""

    def part(self, data: bytes) -> None:
        """The next piece: of `PART_BYTES`, but for the last."""

    def complete(self) -> None:
        """The file is whole."""

    def abort(self) -> None:
        """Forget what was uploaded."""


# More than the 5 MB that S3 asks of every part but the last, little enough to hold a few in a small worker.
PART_BYTES: Final = 8 * 1024 * 1024


class Uploads(Protocol):
    """The results bucket, for files of any size."""

    def begin(self, key: str, content_type: str, facts: Mapping[str, str]) -> Upload:
        """Raises `StoreUnavailable`."""
