"""Spans of five minutes, made of the ten-second buckets once they can hardly change any more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from mediarelay.metrics.tally import Bucket, Tally, merged
from mediarelay.vocabulary.frozen import frozen

if TYPE_CHECKING:
    from mediarelay.metrics.ports import BucketStore
    from mediarelay.metrics.series.ports import SeriesStore

SPAN_SECONDS: Final = 300
# Six hours.
SPANS: Final = 72
# What ended within a span is counted by then: writers wait for seconds, and the stream for a second.
SETTLED_SECONDS: Final = 60
# Buckets live for an hour; a sweep that comes later than that leaves a hole.
_BUCKETS_KEPT: Final = 3600


class Point(NamedTuple):
    """One span of one provider; latencies in milliseconds, None without a success."""

    start: int
    done: int
    faults: int
    throttled: int
    p50: int | None
    p95: int | None


@frozen
class Series:
    """What is known of all providers.

    Attributes:
        upto: Where the spans that were looked at end, unix seconds; 0 before the first.
        points: By provider, oldest first; spans without any attempt are left out.
    """

    upto: int
    points: Mapping[str, Sequence[Point]]


def due(series: Series, now: float) -> tuple[int, int] | None:
    """Return from where to where spans are to be added; None while none is."""
    last = int(now - SETTLED_SECONDS)
    last -= last % SPAN_SECONDS
    oldest = int(now) - _BUCKETS_KEPT
    first = max(series.upto, oldest + SPAN_SECONDS - oldest % SPAN_SECONDS)
    return (first, last) if first < last else None


def points_of(buckets: Iterable[Bucket], first: int, last: int) -> list[Point]:
    """Return the spans from *first* until *last* in which anything happened."""
    spans: dict[int, list[Bucket]] = {}
    for bucket in buckets:
        if first <= bucket.start < last:
            spans.setdefault(bucket.start - bucket.start % SPAN_SECONDS, []).append(bucket)
    return [_point(start, spans[start]) for start in sorted(spans)]


def _point(start: int, buckets: Iterable[Bucket]) -> Point:
    whole = Tally()
    for tally in merged(buckets).values():
        whole.merge(tally)
    p50, p95 = whole.sketch.quantile(0.5), whole.sketch.quantile(0.95)
    return Point(
        start,
        whole.succeeded,
        whole.faulted,
        whole.throttled,
        round(p50) if p50 is not None else None,
        round(p95) if p95 is not None else None,
    )


class SeriesKeeper:
    """Keeps the series for the minute sweep. Raises `StoreUnavailable`."""

    def __init__(self, buckets: BucketStore, store: SeriesStore) -> None:
        self._buckets = buckets
        self._store = store

    def keep(self, providers: Iterable[str], now: float) -> None:
        """Add the spans that have ended, of all providers, and drop those older than six hours.

        Two sweeps at once write the same; what an earlier one writes last, the next adds again.
        """
        series = self._store.load()
        span = due(series, now)
        if span is None:
            return
        first, last = span
        oldest = last - SPANS * SPAN_SECONDS
        points: dict[str, Sequence[Point]] = {}
        for name in providers:
            known = [point for point in series.points.get(name, ()) if oldest <= point.start < first]
            stored = self._buckets.load(name, since=first).values()
            found = [*known, *points_of((each.bucket for each in stored), first, last)]
            if found:
                points[name] = found
        self._store.save(Series(last, points))
