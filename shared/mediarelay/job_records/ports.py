"""The Jobs table, as a port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from mediarelay.job_records.claims import Cancelled, Claim, ClaimAnswer, Conflict, Group, Rejection, Settlement

if TYPE_CHECKING:
    from mediarelay.job_records.contract import AttemptSummary, Earmark, JobError, JobRecord, Spending


class Purse(Protocol):
    """What is set aside of budgets for one job.

    Attributes:
        earmark: As it stands.
    """

    earmark: Earmark

    def reaches(self, usd: float) -> bool:
        """Tell whether the job may cost so much in all; more is set aside where the budgets allow it.

        Raises `StoreUnavailable`.
        """


class JobStore(Protocol):
    """The Jobs table. Every method raises `StoreUnavailable` when the table cannot be reached."""

    def claim(self, claim: Claim) -> ClaimAnswer:
        """Take the job by one conditional write, unless it is settled, held, cancelled, or another content's.

        A rejected job may be claimed: nothing was bought for it, and a publisher who mends a request keeps its id.
        """

    def open_group(self, group: Group) -> Conflict | Cancelled | None:
        """Take the id of a request with strategy `all`. Returns why none of its jobs is to be served, if that is so."""

    def end_unserved(self, claim: Claim, error: JobError, purchases: Sequence[Spending] = ()) -> bool:
        """Write the end of a job that is cancelled and that nobody serves. Returns False when somebody does, or did."""

    def settle(self, settlement: Settlement) -> bool:
        """Write the end. Returns False, and writes nothing, when the claim is no longer ours."""

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
        """End the claim and defer the job until then (unix ms). Returns False when the claim is no longer ours."""

    def reject(self, rejection: Rejection) -> bool:
        """Record a rejection. Returns False, and changes nothing, when the id is of a job that was not rejected."""

    def get(self, request_id: str) -> JobRecord | None:
        """Read one record, for operators and tests; the dispatcher reads none but of a lost buyer (`reuse.results`)."""
