"""Media hosts and multipart uploads, as ports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol


class MediaStream(Protocol):
    """A media file that is being received."""

    @property
    def offset(self) -> int:
        """Where in the file it begins: what was asked for, or 0 when the host does not resume."""

    @property
    def size(self) -> int | None:
        """The size of the whole file in bytes, where the host states it."""

    @property
    def version(self) -> str:
        """The host's name for this content, to resume the same; empty when there is none."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes from `offset` on. Raises `Unreachable` when they break off or run past the deadline."""


class MediaFetcher(Protocol):
    """Fetches results from media hosts, without credentials."""

    def open(
        self, url: str, *, hosts: Sequence[str], offset: int, version: str, deadline: float
    ) -> AbstractContextManager[MediaStream]:
        """Get the file, from *offset* on if *version* is still what the host has.

        Raises:
            Unreachable: The host or a redirect is not allowed, or gave no usable answer.
        """


class Upload(Protocol):
    """A file on its way into the bucket. Both raise `StoreUnavailable`."""

    def part(self, data: bytes) -> None:
        """Upload the next part: of `PART_BYTES`, except for the last."""

    def complete(self) -> None:
        """Complete the file."""

    def abort(self) -> None:
        """Forget what was uploaded."""


# More than the 5 MB that S3 asks of every part but the last, little enough to hold a few in a small worker.
PART_BYTES: Final = 8 * 1024 * 1024


class Uploads(Protocol):
    """The results bucket, for files of any size."""

    def begin(self, key: str, content_type: str, facts: Mapping[str, str]) -> Upload:
        """Begin a file. Raises `StoreUnavailable`."""
