"""The results bucket, as a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Protocol

from mediarelay.vocabulary.frozen import frozen

if TYPE_CHECKING:
    from mediarelay.job_records.contract import Output


@frozen
class StoredObject:
    """An object found in the results bucket."""

    output: Output
    facts: Mapping[str, str]


class MediaStore(Protocol):
    """The results bucket. All raise `StoreUnavailable`."""

    def put(self, output: Output, body: IO[bytes], facts: Mapping[str, str]) -> None:
        """Store one file; the store verifies its checksum. *facts* are kept as object metadata."""

    def find(self, prefix: str) -> Sequence[StoredObject]:
        """Find every file whose key is the prefix and a name, with its facts; none in a folder below it."""

    def read(self, key: str, into: IO[bytes]) -> None:
        """Write the content of one file into another, a piece at a time. A file that is not there is unavailable."""


class LinkSigner(Protocol):
    """Presigned links to outputs."""

    def sign(self, key: str) -> tuple[str, str]:
        """Return the s3 URI and a presigned URL of an object."""
