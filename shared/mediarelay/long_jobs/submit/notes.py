"""One run of submit_job for one job, and the notes on its submit that the run leaves in the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from mediarelay.job_records.contract import Spending, Submission
from mediarelay.job_records.job_spec import revised, too_dear
from mediarelay.job_records.ports import Purse
from mediarelay.long_jobs.execution_state import ExecutionEnd, ExecutionState, NextStep, VendorJob
from mediarelay.long_jobs.ports import MediaJobStore
from mediarelay.providers.offers import Route
from mediarelay.results.result_store import Folder, Purchase
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, SpendingState, SubmitState
from mediarelay.vocabulary.retrying import retry_until

# What the table does not take by then travels in the execution's state.
NOTE_SECONDS: Final = 10.0


class RecordChanged(Exception):  # a turn of events, not an error
    """Another worker, or a cancellation, has changed the record meanwhile."""


@dataclass(slots=True)
class SubmitRun:
    """What one run of the function knows and does.

    Attributes:
        known: What the record says of the submit.
        find: Finds the route for a provider.
        folder: Where results lie that come at once.
        purchases: What was bought for the job, or may have been.
        accepted: The job that a vendor has accepted.
        purchase: What a provider delivered at once.
        concluded: When a submit that is over was sent (unix ms), if the record could not be told so.
        purse: What is set aside for the job, where budgets are set.
    """

    job: ExecutionState
    known: Submission | None
    worker_ends_at: float
    find: Callable[[str], Route]
    folder: Folder
    purchases: list[Spending] = field(default_factory=list)
    accepted: VendorJob | None = None
    purchase: Purchase | None = None
    concluded: int | None = None
    routes: dict[str, Route] = field(default_factory=dict)
    purse: Purse | None = None

    def route(self, provider: str) -> Route:
        """Return the route for the provider, found once."""
        if provider not in self.routes:
            self.routes[provider] = self.find(provider)
        return self.routes[provider]

    def too_dear(self, provider: str) -> bool:
        """Tell whether a submit to the provider, after all that was bought, may cost more than the job may."""
        most, purse = self.job.request.max_cost_usd, self.purse
        if most is None and purse is None:
            return False
        return too_dear(self.purchases, self.route(provider).offer.cost_usd, most, purse)

    def spent(self, submit: Submission, state: SpendingState, cost_usd: float | None = None) -> list[Spending]:
        """Return the purchases with what has become of this submit."""
        entry = Spending(
            provider=submit.provider,
            key_id=submit.key_id,
            model=submit.model,
            estimate_usd=self.route(submit.provider).offer.cost_usd,
            state=state,
            at=submit.sent_at,
        )
        return revised(self.purchases, entry, state, cost_usd)


class SubmitNotes:
    """Writes each change of a submit, provided no other worker has changed it."""

    def __init__(self, jobs: MediaJobStore, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock

    def write(
        self, run: SubmitRun, after: Submission, state: SpendingState, cost_usd: float | None = None
    ) -> Submission:
        """Record it, and in the same write what has become of the purchase.

        Raises:
            RecordChanged: The record is not what it was.
            StoreUnavailable: The table stayed unavailable. The run knows what is not written, for the execution to
                carry.
        """
        purchases = run.spent(after, state, cost_usd)
        try:
            written = retry_until(
                partial(self._jobs.note_submit, run.job.request_id, after, before=run.known, purchases=purchases),
                clock=self._clock,
                until=min(run.worker_ends_at, self._clock.now() + NOTE_SECONDS),
            )
        except StoreUnavailable:
            run.purchases = purchases
            if after.state is SubmitState.NOT_SENT:
                run.concluded = after.sent_at
            raise
        if not written:
            raise RecordChanged
        run.known, run.purchases = after, purchases
        return after


def vendor_job(submit: Submission) -> VendorJob:
    """Return an accepted submit as the execution carries it."""
    return VendorJob(
        provider=submit.provider,
        model=submit.model,
        key_id=submit.key_id,
        account=submit.account,
        task=submit.task,
        accepted_at=(submit.answered_at or submit.sent_at) / 1000,
    )


def bought(job: ExecutionState, purchase: Purchase) -> ExecutionState:
    """Settle with what is stored already."""
    end = ExecutionEnd(
        status=JobStatus.SUCCEEDED,
        outputs=list(purchase.outputs),
        cost_usd=purchase.cost_usd,
        provider=purchase.provider,
        model=purchase.model,
    )
    return job.model_copy(update={"next": NextStep.SETTLE, "ending": end})
