"""Set money aside before a job is bought, and settle with the budgets what it came to.

Theory of operation
- Money is set aside *before* the job is claimed and released *after* it is settled. Whoever dies in between leaves too
  much set aside, never too little; the entry goes by the job's id, so that whoever takes the job up finds it again, and
  what was set aside twice or released twice counts once.
- The claim writes the entry into the job's record, by which whoever settles the job, or finds it settled, releases it.
- Before a purchase that, with all that was bought, goes beyond what is set aside, more is set aside, or it is not made.
- An entry counts in the day and the month in which it was made, whenever it is spent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Final, NamedTuple

from mediarelay.budgets.contract import BudgetLevel
from mediarelay.budgets.ports import (
    Allowance,
    BudgetChange,
    BudgetSource,
    BudgetStore,
    Changed,
    Entry,
    Payer,
    Unchanged,
)
from mediarelay.budgets.windows import dollars, level, nanos, next_day, next_month, window_at
from mediarelay.job_records.contract import Earmark, JobRecord, Spending
from mediarelay.job_records.job_spec import charges
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import MediaRelayError, OverBudget, StoreUnavailable

logger = logging.getLogger(__name__)

_TABLE: Final = "telemetry table"
_SETTING_ASIDE: Final = "set money aside"
_MARK_DIGITS: Final = 8
# The entry of a job may have changed since its record was written: it was raised, and nobody lived to note that.
_TRIES: Final = 4
# A budget without room for a further entry is looked at before it is written to, for so long.
FULL_SECONDS: Final = 10.0


class SetAside(NamedTuple):
    """What stands of one budget for a job; `fresh` where it was set aside just now."""

    payer: str
    entry: Entry
    fresh: bool


class Budgets:
    """Sets aside and releases. Thread-safe; one instance per worker."""

    def __init__(self, store: BudgetStore, source: BudgetSource, clock: Clock, rng: Random) -> None:
        self._store = store
        self._source = source
        self._clock = clock
        self._rng = rng
        self._known: set[tuple[str, str, int]] = set()
        self._full_until: dict[str, float] = {}

    def set_aside(self, job_id: str, tenant: str | None, provider: str, usd: float) -> tuple[str, Sequence[SetAside]]:
        """Set so much aside of each budget that pays for the job. Returns the month, and what stands since.

        Raises:
            OverBudget: One of them does not allow it; nothing is set aside that was not before.
            StoreUnavailable: Something may be set aside; it is found again when the job comes again. So it is where so
                many jobs are under way that a budget takes no further entry, and where another delivery of the job may
                be setting aside at this moment.
        """
        payers = self._source.load().payers(tenant)
        if not payers:
            return "", ()
        now = self._clock.now()
        month, day = window_at(now)
        mark = f"{self._rng.getrandbits(4 * _MARK_DIGITS):0{_MARK_DIGITS}x}"
        wanted = Entry(day, nanos(usd, up=True), mark, provider)
        return month, self._made(job_id, payers, month, wanted, mark)

    def _made(self, job_id: str, payers: Sequence[Payer], month: str, wanted: Entry, mark: str) -> Sequence[SetAside]:
        """Have the same entry stand for all payers; one that stands already is the job's own. Ours is of that mark."""
        now = self._clock.now()
        made: list[SetAside] = []
        for payer in payers:
            aside = BudgetChange(payer.name, month, job_id, None, wanted, allowance=payer.allowance)
            answer = None if self._is_full(payer, month, job_id, now) else self._store.change(aside)
            if answer is None or (isinstance(answer, Unchanged) and answer.entry is None):
                self._take_back(job_id, month, made)
                raise self._refused(payer, answer, wanted, now)
            entry = answer.entry if isinstance(answer, Unchanged) and answer.entry else wanted
            if entry.mark != wanted.mark and any(each.fresh for each in made):
                # It stands since before the others had budgets, or took theirs back: a job goes by one mark.
                self._take_back(job_id, month, made)
                return self._made(job_id, payers, month, entry, mark)
            if isinstance(answer, Changed) and made and not made[-1].fresh:
                # Whoever set it aside of the other may be refused this one, and about to take that back.
                raise StoreUnavailable(_TABLE, _SETTING_ASIDE, "another delivery may be doing so")
            made.append(SetAside(payer.name, entry, entry.mark == mark))
            if isinstance(answer, Changed):
                self._tell(payer, answer, now)
            wanted = entry
        return made

    def _take_back(self, job_id: str, month: str, made: Sequence[SetAside]) -> None:
        for each in made:
            if each.fresh:
                self._store.change(BudgetChange(each.payer, month, job_id, each.entry, None))

    def release(self, job_id: str, earmark: Earmark, purchases: Sequence[Spending]) -> None:
        """Release what is set aside for a job that has ended, and count what it cost instead; once, however often."""
        charged = {provider: nanos(usd) for provider, usd in charges(purchases).items()}
        for payer in earmark.payers:
            self.remove(SetAside(payer, entry_of(earmark), fresh=False), earmark.month, job_id, charged)

    def remove(self, standing: SetAside, month: str, job_id: str, charged: Mapping[str, int]) -> None:
        """Remove one entry, and count what was spent instead."""
        entry = standing.entry
        for _ in range(_TRIES):
            answer = self._store.change(BudgetChange(standing.payer, month, job_id, entry, None, charged))
            if isinstance(answer, Changed) or answer.entry is None or answer.entry.mark != entry.mark:
                return
            entry = answer.entry
        raise StoreUnavailable(_TABLE, "release a budget", "the entry changes")

    def forget(self, job_id: str, tenant: str | None, received_at: int) -> None:
        """Release what is set aside for a job that ends without anything bought, and of which its record knows nothing.

        It stays until its window ends where a store is away, or it was set aside in a month between.
        """
        try:
            months = {window_at(moment).month for moment in (received_at / 1000, self._clock.now())}
            for payer in self._source.load().payers(tenant):
                for month in sorted(months):
                    entry = self._store.entry(payer.name, month, job_id)
                    if entry is not None:
                        self.remove(SetAside(payer.name, entry, fresh=False), month, job_id, {})
        except StoreUnavailable as error:
            logger.warning("not released: %s", error, extra={"request_id": job_id})

    def raised(self, job_id: str, tenant: str | None, earmark: Earmark, usd: float) -> Earmark | None:
        """Set aside more for a job, up to so much in all. Returns what stands since; None when it is not allowed."""
        now, before = self._clock.now(), entry_of(earmark)
        after = replace(before, amount=nanos(usd, up=True))
        allowed = {payer.name: payer for payer in self._source.load().payers(tenant)}
        done: list[str] = []
        for payer in earmark.payers:
            bound = allowed[payer].allowance if payer in allowed else Allowance(None, None)
            answer = self._store.change(BudgetChange(payer, earmark.month, job_id, before, after, allowance=bound))
            if isinstance(answer, Unchanged) and answer.entry != after:
                for name in done:
                    self._store.change(BudgetChange(name, earmark.month, job_id, after, before))
                return None
            done.append(payer)
            if isinstance(answer, Changed) and payer in allowed:
                self._tell(allowed[payer], answer, now)
        return earmark.model_copy(update={"amount": after.amount})

    def purse_of(self, record: JobRecord) -> JobPurse | None:
        """Return the purse of a job, by its record; None where nothing is set aside for it."""
        earmark = record.earmark
        return JobPurse(self, record.request_id, record.tenant, earmark) if earmark is not None else None

    def _is_full(self, payer: Payer, month: str, job_id: str, now: float) -> bool:
        """Whether a budget took no further entry a moment ago, and has none of this job.

        A look costs a fraction of a write that is refused, and leaves the writes to the jobs that end.
        """
        return self._full_until.get(payer.name, 0.0) > now and self._store.entry(payer.name, month, job_id) is None

    def _refused(self, payer: Payer, answer: Unchanged | None, wanted: Entry, now: float) -> MediaRelayError:
        """Why nothing is set aside: there is too little left, or no room for a further entry, as None says as well."""
        if answer is not None and not answer.full:
            return self._over(payer, answer, wanted, now)
        if answer is not None:
            self._full_until[payer.name] = now + FULL_SECONDS
        return StoreUnavailable(_TABLE, _SETTING_ASIDE, f"{payer.name} has too many jobs under way")

    def _over(self, payer: Payer, answer: Unchanged, wanted: Entry, now: float) -> OverBudget:
        most = payer.allowance
        if most.month is not None and answer.month_used + wanted.amount > most.month:
            window, used, limit, ends_at = window_at(now).month, answer.month_used, most.month, next_month(now)
        else:
            month, day = window_at(now)
            window, used, limit = f"{month}-{day:02}", answer.day_used, most.day or 0
            ends_at = next_day(now)
        self._tell_once(payer.name, window, 100, used, limit, now)
        return OverBudget(
            f"{payer.name} has ${dollars(limit - used):.6g} left of ${dollars(limit):.6g} for {window} (UTC); "
            f"this would take ${dollars(wanted.amount):.6g}",
            ends_at,
        )

    def _tell(self, payer: Payer, answer: Changed, now: float) -> None:
        month, day = window_at(now)
        for window, used, most in (
            (month, answer.month_used, payer.allowance.month),
            (f"{month}-{day:02}", answer.day_used, payer.allowance.day),
        ):
            reached = level(used, most) if most is not None else None
            if most is not None and reached is not None:
                self._tell_once(payer.name, window, reached, used, most, now)

    def _tell_once(self, payer: str, window: str, reached: int, used: int, most: int, now: float) -> None:
        """Record a level, which is then alerted. What this worker knows of is not recorded again."""
        if (payer, window, reached) in self._known:
            return
        said = BudgetLevel(
            payer=payer, window=window, level=reached, used_usd=dollars(used), most_usd=dollars(most), at=now
        )
        try:
            self._store.tell(said)
        except StoreUnavailable as error:
            logger.warning("level of a budget not noted", extra={"payer": payer, "reason": error.reason})
            return
        self._known.add((payer, window, reached))


class JobPurse:
    """Implements `job_records.ports.Purse`."""

    def __init__(self, budgets: Budgets, job_id: str, tenant: str | None, earmark: Earmark) -> None:
        self._budgets = budgets
        self._job_id = job_id
        self._tenant = tenant
        self.earmark = earmark

    def reaches(self, usd: float) -> bool:
        """See `job_records.ports.Purse.reaches`."""
        if nanos(usd) <= self.earmark.amount:
            return True
        raised = self._budgets.raised(self._job_id, self._tenant, self.earmark, usd)
        self.earmark = raised or self.earmark
        return raised is not None


def entry_of(earmark: Earmark) -> Entry:
    """Return the entry that a job's record names."""
    return Entry(earmark.day, earmark.amount, earmark.mark, earmark.provider)


def earmark_of(month: str, made: Sequence[SetAside]) -> Earmark:
    """Return what the job's record says of what is set aside."""
    entry = made[0].entry
    return Earmark(
        payers=[each.payer for each in made],
        month=month,
        day=entry.day,
        amount=entry.amount,
        mark=entry.mark,
        provider=entry.provider,
    )
