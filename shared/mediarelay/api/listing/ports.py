"""The index by which jobs are listed, as a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from mediarelay.api.listing.contract import ListedJob


class Listing(NamedTuple):
    """Jobs of a stretch of time.

    `known_from` is the moment from which on they are all there (unix ms): an earlier one's may be left out.
    """

    jobs: Sequence[ListedJob]
    known_from: int


class JobIndex(Protocol):
    """The index of the Jobs table by day."""

    def stretch(self, since: int, until: int, *, most: int, wanted: Mapping[str, str]) -> Listing:
        """Read the jobs of one day that were received between two moments (unix ms), both included.

        Those whose attributes are as wanted. Reads `most` of each shard, wanted or not, and at least those of the last
        moment. Eventually consistent. Raises `StoreUnavailable`.
        """
