"""Which stream records a bucket has already counted: what makes counting exactly-once.

Theory of operation
- A stream gives records at least once: a batch may come again whole, halved, or from its middle on. Each record has a
  sequence number that grows along its stream shard, and all records of one partition key (one of the *shards* of a
  provider's metrics) lie in one stream shard, so that a batch holds a *contiguous run* of each shard's records.
- A bucket therefore remembers, per shard, the runs it has counted as pairs (first, last) of sequence numbers. A record
  inside a run has been counted. Runs are written by the very write that adds the counts, so that they never disagree.
- The memory grows with the number of batches, not with the number of records; overlapping runs become one.
- A record that a batch gave up, and that is delivered later by hand, lies in no run and is counted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Run = tuple[int, int]


@dataclass(slots=True)
class AppliedRuns:
    """Per shard, disjoint runs in ascending order; both ends inclusive."""

    by_shard: dict[str, list[Run]] = field(default_factory=dict)

    def covers(self, shard: str, number: int) -> bool:
        """Whether this record has been counted."""
        runs = self.by_shard.get(shard, [])
        position = bisect_right(runs, (number, number))
        before = runs[position - 1] if position else None
        after = runs[position] if position < len(runs) else None
        return (before is not None and number <= before[1]) or (after is not None and after[0] == number)

    def add(self, shard: str, first: int, last: int) -> None:
        """Note that every record of the shard from first to last has been counted."""
        self.by_shard[shard] = list(_joined([*self.by_shard.get(shard, []), (first, last)]))

    def as_strings(self) -> Mapping[str, list[list[str]]]:
        """Return the runs as text, for a store whose numbers are too short for sequence numbers."""
        return {shard: [[str(first), str(last)] for first, last in runs] for shard, runs in self.by_shard.items()}

    @classmethod
    def from_strings(cls, by_shard: Mapping[str, Iterable[Iterable[str]]]) -> AppliedRuns:
        """Read what `as_strings` returned."""
        return cls({shard: [_run(pair) for pair in pairs] for shard, pairs in by_shard.items()})


def _run(pair: Iterable[str]) -> Run:
    first, last = pair
    return int(first), int(last)


def _joined(runs: list[Run]) -> Iterator[Run]:
    """Join overlapping runs. Two that merely follow each other stay apart: there may be records between them."""
    runs.sort()
    first, last = runs[0]
    for start, end in runs[1:]:
        if start <= last:
            last = max(last, end)
        else:
            yield first, last
            first, last = start, end
    yield first, last
