"""The Jobs table where budgets are set: a claim sets money aside first, and what ends a job releases it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from mediarelay.budgets.earmarking import Budgets, JobPurse, SetAside, earmark_of
from mediarelay.job_records.claims import (
    AlreadySettled,
    Cancelled,
    Claim,
    ClaimAnswer,
    Claimed,
    Conflict,
    Group,
    Rejection,
    Settlement,
)
from mediarelay.job_records.contract import AttemptSummary, Earmark, JobError, JobRecord, Spending, Submission
from mediarelay.job_records.job_spec import spent
from mediarelay.job_records.ports import JobStore
from mediarelay.long_jobs.ports import MediaJobStore, OpenAnswer, Opened
from mediarelay.vocabulary.errors import OverBudget

Store = TypeVar("Store", JobStore, MediaJobStore)


class BudgetedJobs:
    """Implements `job_records.ports.JobStore` over another one. `claim` raises `OverBudget`."""

    def __init__(self, jobs: JobStore, budgets: Budgets) -> None:
        self._jobs = jobs
        self._budgets = budgets

    def claim(self, claim: Claim) -> ClaimAnswer:
        """See `job_records.ports.JobStore.claim`."""
        month, made = _set_aside(self._budgets, claim)
        earmark = earmark_of(month, made) if made else None
        if earmark is not None and (claim.known or not all(each.fresh for each in made)):
            earmark, claim = self._again(claim, month, made)
        answer = self._jobs.claim(replace(claim, earmark=earmark))
        if not isinstance(answer, Claimed):
            _let_go(self._budgets, self._jobs, claim, month, made, settled=isinstance(answer, AlreadySettled))
            return answer
        standing = earmark or answer.earmark
        if standing is None:
            if claim.known and claim.purchase is None:
                # It never came to be claimed before, and is now too late, or answered with what another one bought.
                self._budgets.forget(claim.request_id, claim.tenant, claim.received_at)
            return answer
        purse = JobPurse(self._budgets, claim.request_id, claim.tenant, standing)
        return replace(answer, earmark=standing, purse=purse)

    def _again(self, claim: Claim, month: str, made: Sequence[SetAside]) -> tuple[Earmark, Claim]:
        """Set aside what a job may cost that came before: all it bought, or may have, and what it is to buy now.

        The claim writes down that purchase; where the budget does not allow it, it is claimed without, and ends.
        """
        earmark, record, wanted = earmark_of(month, made), self._jobs.get(claim.request_id), claim.purchase
        if record is None or record.status.settled or wanted is None:
            return earmark, claim
        if record.earmark is not None and record.earmark.month != month:
            # It came before in another month, in which it counts.
            _remove_fresh(self._budgets, claim, month, made)
            earmark = record.earmark
        purse = JobPurse(self._budgets, claim.request_id, claim.tenant, earmark)
        if purse.reaches(spent(record.purchases).cost_usd + wanted.estimate_usd):
            return purse.earmark, claim
        return earmark, replace(claim, purchase=None)

    def open_group(self, group: Group) -> Conflict | Cancelled | None:
        """See `job_records.ports.JobStore.open_group`."""
        return self._jobs.open_group(group)

    def end_unserved(self, claim: Claim, error: JobError, purchases: Sequence[Spending] = ()) -> bool:
        """See `job_records.ports.JobStore.end_unserved`; what an earlier delivery left set aside is released."""
        ended = self._jobs.end_unserved(claim, error, purchases)
        if ended:
            self.get(claim.request_id)
        return ended

    def settle(self, settlement: Settlement) -> bool:
        """See `job_records.ports.JobStore.settle`."""
        settled = self._jobs.settle(settlement)
        if settled and settlement.earmark is not None:
            self._budgets.release(settlement.request_id, settlement.earmark, settlement.purchases)
        return settled

    def defer(
        self,
        request_id: str,
        claim_id: str,
        *,
        until: int,
        attempts: Sequence[AttemptSummary],
        purchases: Sequence[Spending] = (),
        history: Sequence[tuple[int, str, str]] = (),
    ) -> bool:
        """See `job_records.ports.JobStore.defer`: what is set aside stays so."""
        return self._jobs.defer(
            request_id, claim_id, until=until, attempts=attempts, purchases=purchases, history=history
        )

    def reject(self, rejection: Rejection) -> bool:
        """See `job_records.ports.JobStore.reject`."""
        return self._jobs.reject(rejection)

    def get(self, request_id: str) -> JobRecord | None:
        """See `job_records.ports.JobStore.get`."""
        return _read(self._budgets, self._jobs, request_id)


class BudgetedMediaJobs:
    """Implements `long_jobs.ports.MediaJobStore` over another one. `open` raises `OverBudget`."""

    def __init__(self, jobs: MediaJobStore, budgets: Budgets) -> None:
        self._jobs = jobs
        self._budgets = budgets

    def open(self, claim: Claim) -> OpenAnswer:
        """See `long_jobs.ports.MediaJobStore.open`."""
        try:
            month, made = _set_aside(self._budgets, claim)
        except OverBudget:
            record = self._jobs.get(claim.request_id)
            if record is None or record.status.settled or record.awaits_request:
                raise
            month, made = "", ()  # it is open already, with what its record names: nothing more is asked for
        answer = self._jobs.open(replace(claim, earmark=earmark_of(month, made) if made else None))
        if not isinstance(answer, Opened) or answer.again:
            # A job that was open before has what its record names, or began before there were budgets.
            _let_go(self._budgets, self._jobs, claim, month, made, settled=isinstance(answer, AlreadySettled))
        return answer

    def get(self, request_id: str) -> JobRecord | None:
        """See `long_jobs.ports.MediaJobStore.get`."""
        return _read(self._budgets, self._jobs, request_id)

    def note_submit(
        self, request_id: str, after: Submission, *, before: Submission | None, purchases: Sequence[Spending]
    ) -> bool:
        """See `long_jobs.ports.MediaJobStore.note_submit`."""
        return self._jobs.note_submit(request_id, after, before=before, purchases=purchases)

    def note_cancel(self, request_id: str, at: int) -> bool:
        """See `long_jobs.ports.MediaJobStore.note_cancel`."""
        return self._jobs.note_cancel(request_id, at)

    def await_request(self, request_id: str, at: int, *, tenant: str | None, ttl: int) -> bool:
        """See `long_jobs.ports.MediaJobStore.await_request`."""
        return self._jobs.await_request(request_id, at, tenant=tenant, ttl=ttl)

    def end_unserved(self, claim: Claim, error: JobError) -> bool:
        """See `long_jobs.ports.MediaJobStore.end_unserved`."""
        return self._jobs.end_unserved(claim, error)

    def settle_media(self, settlement: Settlement) -> bool:
        """See `long_jobs.ports.MediaJobStore.settle_media`."""
        settled = self._jobs.settle_media(settlement)
        if settled and settlement.earmark is not None:
            self._budgets.release(settlement.request_id, settlement.earmark, settlement.purchases)
        return settled


def _set_aside(budgets: Budgets, claim: Claim) -> tuple[str, Sequence[SetAside]]:
    """Set aside what the claim is about to buy; nothing where it buys nothing."""
    wanted = claim.purchase
    if wanted is None:
        return "", ()
    return budgets.set_aside(claim.request_id, claim.tenant, wanted.provider, wanted.estimate_usd)


def _let_go(
    budgets: Budgets,
    jobs: JobStore | MediaJobStore,
    claim: Claim,
    month: str,
    made: Sequence[SetAside],
    *,
    settled: bool,
) -> None:
    """Release what was set aside for a job that another one serves or has served.

    An entry that the job's record names is the job's, whoever made it: two deliveries that come at once set aside
    together, and either may be the one that claims. Another one that was made just now goes. One that stood before is
    the job's as well until it has ended: whoever ended it did not live to release it, or a duplicate set it aside after
    that end and did not live to see it, and bought nothing. So it may be where it is not seen here, since the claim
    would buy nothing.
    """
    fresh = any(each.fresh for each in made)
    left_over = settled and (claim.purchase is None or not all(each.fresh for each in made))
    if fresh or left_over:
        record = _read(budgets, jobs, claim.request_id)
        named = record.earmark.mark if record is not None and record.earmark is not None else None
        for each in made:
            if (each.fresh or settled) and each.entry.mark != named:
                budgets.remove(each, month, claim.request_id, {})


def _remove_fresh(budgets: Budgets, claim: Claim, month: str, made: Sequence[SetAside]) -> None:
    for each in made:
        if each.fresh:
            budgets.remove(each, month, claim.request_id, {})


def _read(budgets: Budgets, jobs: JobStore | MediaJobStore, request_id: str) -> JobRecord | None:
    """Read a job. Of one that has ended, what is set aside is released, should that not have been done."""
    record = jobs.get(request_id)
    if record is not None and record.earmark is not None and record.status.settled:
        budgets.release(request_id, record.earmark, record.purchases)
    return record
