"""The totals of what was used, as a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.usage.counting import Amounts, Batch, Subject


class UsageStore(Protocol):
    """Totals by day. Every method raises `StoreUnavailable`."""

    def counted(self, shard: str) -> int:
        """Read up to which sequence number of a stream shard everything is counted; 0 when nothing is."""

    def add(self, shard: str, batch: Batch, *, after: int, now: int) -> bool:
        """Add the batch and note its last number, in one write. Returns False, and adds nothing, unless all up to
        *after* is counted and nothing beyond. `now` is in unix seconds.
        """

    def load(self, days: Sequence[str]) -> Mapping[Subject, Amounts]:
        """Read the totals of these days."""
