"""Changes of job records into what they add to the totals of a day. Pure.

Amounts are whole numbers, money in billionths of a dollar, so that any order of adding comes to the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final, NamedTuple

from mediarelay.job_records.contract import JobRecord, Spending
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import SpendingState

BILLIONTHS: Final = 1_000_000_000
_DAY_MS: Final = 24 * 3600 * 1000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class Subject(NamedTuple):
    """What a total is of: a day (UTC) and whose, by whom, with which model. Empty where there was none."""

    day: str
    tenant: str
    provider: str
    model: str


Amounts = Counter[str]


@frozen
class SettledJob:
    """One record of the Jobs table's stream. `number` is its sequence number, which grows along its stream shard."""

    number: int
    before: JobRecord | None
    after: JobRecord


@frozen
class Batch:
    """What changes of one stream shard add, the last of which has this number."""

    last: int
    totals: dict[Subject, Amounts]


def amounts_of(change: SettledJob) -> dict[Subject, Amounts]:
    """Return what one change adds: all of a job that it settled, or what has become of its cost after that.

    A part of a long text adds nothing: the record of the whole has what was bought for all of them.
    """
    before, after = change.before, change.after
    if after.part or not after.status.settled or after.settled_at is None:
        return {}
    day = date.fromordinal(_EPOCH_DAY + after.settled_at // _DAY_MS).isoformat()
    found: dict[Subject, Amounts] = {}

    def add(provider: str | None, model: str | None, **amounts: int) -> None:
        subject = Subject(day, after.tenant or "", provider or "", model or "")
        found.setdefault(subject, Counter()).update(amounts)

    counted = before is not None and before.status.settled
    if not counted:
        cached = {"cached": 1} if after.cached else {}
        add(
            after.provider, after.model, jobs=1, milliseconds=after.latency_ms or 0, **{after.status.value: 1}, **cached
        )
    for sign, spending in ((1, after), *(((-1, before),) if counted and before is not None else ())):
        for provider, model, amounts in _bought(spending):
            add(provider, model, **{name: sign * amount for name, amount in amounts.items()})
    return {subject: kept for subject, amounts in found.items() if (kept := _without_zeros(amounts))}


def _bought(record: JobRecord) -> Iterator[tuple[str | None, str | None, dict[str, int]]]:
    for each in record.purchases:
        if each.state is not SpendingState.NOT_CHARGED:
            yield each.provider, each.model, _cost(each)
    if not record.purchases and record.cost_usd:  # settled before records had purchases
        yield record.provider, record.model, {"purchases": 1, "charged": round(record.cost_usd * BILLIONTHS)}


def _cost(each: Spending) -> dict[str, int]:
    if each.state is SpendingState.CHARGED:
        return {"purchases": 1, "charged": round((each.cost_usd or 0.0) * BILLIONTHS)}
    return {"purchases": 1, "uncertain": 1, "perhaps_charged": round(each.estimate_usd * BILLIONTHS)}


def _without_zeros(amounts: Amounts) -> Amounts:
    return Counter({name: amount for name, amount in amounts.items() if amount})


def batches_of(changes: Sequence[SettledJob], *, after: int, most: int) -> Iterator[Batch]:
    """Yield what the changes add that come after that number, in their order, at most so many totals at once."""
    totals: dict[Subject, Amounts] = {}
    last = after
    for change in changes:
        if change.number <= after:
            continue
        added = amounts_of(change)
        if totals and len({*totals, *added}) > most:
            yield Batch(last, totals)
            totals = {}
        for subject, amounts in added.items():
            totals.setdefault(subject, Counter()).update(amounts)
        last = change.number
    if totals:
        yield Batch(last, totals)
