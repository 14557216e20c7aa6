"""Count what was used, each settled job once; and add up what was counted."""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any, Final

from mediarelay.usage.contract import UsageReport, UsageTotal
from mediarelay.usage.counting import BILLIONTHS, Amounts, SettledJob, Subject, batches_of
from mediarelay.usage.ports import UsageStore
from mediarelay.vocabulary.backoff import full_jitter
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

# DynamoDB's own maximum of a transaction is a hundred items, one of which says how far it is counted.
TOTALS_LIMIT: Final = 99
TRIES: Final = 6
DIMENSIONS: Final = ("day", "tenant", "provider", "model")


class UsageCounter:
    """Counts batches of the Jobs table's stream."""

    def __init__(self, store: UsageStore, clock: Clock, rng: Random) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng

    def count(self, shard: str, changes: Sequence[SettledJob]) -> None:
        """Count changes of one stream shard, in their order; those that were counted before add nothing.

        Raises:
            StoreUnavailable: Not all of it was counted; the whole batch may be given again.
        """
        if not changes:  # the end of a window
            return
        for attempt in range(TRIES):
            try:
                if self._counted(shard, changes):
                    return
            except StoreUnavailable as error:
                # Another shard wrote the same total at the same moment, or the table is away for a moment.
                if attempt == TRIES - 1:
                    raise
                logger.info("counted again: %s", error)
            self._clock.sleep(full_jitter(attempt, base=0.05, cap=2.0, rng=self._rng))
        raise StoreUnavailable("usage table", "count what was used", "too many writers at once")

    def _counted(self, shard: str, changes: Sequence[SettledJob]) -> bool:
        """Whether all of it was counted, by this worker or another."""
        after = self._store.counted(shard)
        for batch in batches_of(changes, after=after, most=TOTALS_LIMIT):
            if not self._store.add(shard, batch, after=after, now=int(self._clock.now())):
                return False
            after = batch.last
        return True


def days_of(first: date, last: date) -> list[str]:
    """Return every day from the first to the last."""
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]


def report(totals: Mapping[Subject, Amounts], first: date, last: date, by: Sequence[str]) -> UsageReport:
    """Return the totals, added up over what they are not told apart by."""
    together: dict[tuple[str, ...], Amounts] = {}
    whole: Amounts = Counter()
    for subject, amounts in totals.items():
        told_apart = tuple(getattr(subject, name) for name in by)
        together.setdefault(told_apart, Counter()).update(amounts)
        whole.update(amounts)
    lines = [_total(amounts, **dict(zip(by, names, strict=True))) for names, amounts in sorted(together.items())]
    return UsageReport(first=first.isoformat(), last=last.isoformat(), by=list(by), totals=lines, whole=_total(whole))


def as_csv(usage: UsageReport) -> str:
    """Return the totals as CSV with a header (RFC 4180)."""
    text = io.StringIO()
    amounts = [name for name in UsageTotal.model_fields if name not in DIMENSIONS]
    writer = csv.DictWriter(text, [*usage.by, *amounts], extrasaction="ignore")
    writer.writeheader()
    writer.writerows(each.model_dump() for each in usage.totals)
    return text.getvalue()


def _total(amounts: Amounts, **names: str) -> UsageTotal:
    known: dict[str, Any] = {name: amounts[name] for name in UsageTotal.model_fields if name in amounts}
    return UsageTotal(
        **names,
        **known,
        cost_usd=amounts["charged"] / BILLIONTHS,
        uncertain_usd=amounts["perhaps_charged"] / BILLIONTHS,
        seconds=amounts["milliseconds"] / 1000,
    )
