"""The newest jobs, page by page.

A page ends at a moment, and the next one begins there: a job that is received, or changes, meanwhile moves none of
those behind it. The cursor is that moment, with digests of what was shown of it already, so that there is nothing in it
to forge, and no id of another tenant.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Final, NamedTuple

from mediarelay.api.listing.contract import ListedJob, ListedJobs
from mediarelay.api.listing.ports import JobIndex
from mediarelay.job_records.job_spec import DAY_MS, LISTING_SHARDS
from mediarelay.vocabulary.clock import Clock

CURSOR: Final = r"^[0-9]{1,14}(\.[A-Za-z0-9_-]{8}){0,500}$"
# How far back there are records: a week behind the latest deadline.
KEPT_DAYS: Final = 9
# A message may be published by another clock.
AHEAD_MS: Final = 60_000
# How many items of each shard a page reads at most: first as many as it probably takes, then, where few of them are
# wanted, four times as many, and so on.
READ_OF_A_SHARD: Final = 600
READ_AT_ONCE: Final = 250
_SPARE: Final = 4


class _Place(NamedTuple):
    """Where a page begins: with what was received by then, less what was shown of that moment."""

    until: int
    shown: frozenset[str] = frozenset()


class ListingService:
    """Raises `StoreUnavailable`."""

    def __init__(self, index: JobIndex, *, clock: Clock) -> None:
        self._index = index
        self._clock = clock

    def page(
        self,
        wanted: Mapping[str, str],
        *,
        since: int | None = None,
        until: int | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> ListedJobs:
        """Return the newest jobs whose attributes are as wanted, and where to go on.

        By default those of a day. `since` and `until` are moments (unix ms), both included.
        """
        now = round(self._clock.now() * 1000)
        begin = max(now - DAY_MS if since is None else since, now - KEPT_DAYS * DAY_MS)
        place = _place(cursor) if cursor else _Place(now + AHEAD_MS if until is None else until)
        place = place if place.until <= now + AHEAD_MS else _Place(now + AHEAD_MS)
        read, most = 0, 2 * limit // LISTING_SHARDS + _SPARE
        found: list[ListedJob] = []
        while place.until >= begin and len(found) < limit and read < READ_OF_A_SHARD:
            of_day = max(begin, place.until // DAY_MS * DAY_MS)
            jobs, known_from = self._index.stretch(of_day, place.until, most=most, wanted=wanted)
            fresh = [job for job in jobs if job.received_at >= known_from and not _was_shown(job, place)]
            fresh.sort(key=lambda job: (-job.received_at, job.job))
            taken = fresh[: limit - len(found)]
            found, read = [*found, *taken], read + most
            if len(taken) < len(fresh):
                place = _behind(taken, taken[-1].received_at, place)
            elif known_from > of_day:
                place, most = _behind(taken, known_from, place), min(4 * most, READ_AT_ONCE)
            else:
                place = _Place(of_day - 1)
        more = place.until >= begin
        return ListedJobs(items=found, next_cursor=_cursor(place) if more else None, has_more=more)


def _behind(taken: list[ListedJob], moment: int, before: _Place) -> _Place:
    shown = frozenset(_digest(job) for job in taken if job.received_at == moment)
    return _Place(moment, shown | before.shown if moment == before.until else shown)


def _was_shown(job: ListedJob, place: _Place) -> bool:
    return job.received_at == place.until and _digest(job) in place.shown


def _digest(job: ListedJob) -> str:
    return urlsafe_b64encode(hashlib.sha256(job.job.encode()).digest()[:6]).decode()


def _cursor(place: _Place) -> str:
    return ".".join([str(place.until), *sorted(place.shown)])


def _place(cursor: str) -> _Place:
    until, *shown = cursor.split(".")
    return _Place(int(until), frozenset(shown))
