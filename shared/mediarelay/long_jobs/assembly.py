"""The three services of a video or audio job, put together from ports; wiring and tests do it the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

from mediarelay.http.ports import HttpClient
from mediarelay.job_records.claims import Settlement
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.ports import Purse
from mediarelay.keys.pools import KeyPools
from mediarelay.long_jobs.account_slots import AccountSlots
from mediarelay.long_jobs.attempt_log import JobLog
from mediarelay.long_jobs.polling.history import CompletionHistory
from mediarelay.long_jobs.polling.ports import CompletionTimes
from mediarelay.long_jobs.ports import MediaJobStore, SlotStore
from mediarelay.long_jobs.transfer.ports import MediaFetcher, Uploads
from mediarelay.long_jobs.vendor_client import VendorJobClient
from mediarelay.metrics.writer import TelemetryWriter
from mediarelay.results.result_store import ResultStore
from mediarelay.routing.router import Router
from mediarelay.serving.attempts import AttemptRunner
from mediarelay.serving.flow_driver import FlowDriver
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.counters import Counters
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: what a function does not use is not imported.
if TYPE_CHECKING:
    from mediarelay.long_jobs.poll import JobPoller
    from mediarelay.long_jobs.settle import JobSettler
    from mediarelay.long_jobs.submit.submit import JobSubmitter


def no_purse(_record: JobRecord) -> Purse | None:
    """Return the purse of a job for which nothing is set aside."""
    return None


@frozen
class JobParts:
    """What the services are made of. `pace` as in `CompletionHistory`, `share` as in `JobSettler`.

    `purse_of` returns what is set aside of budgets for the job of a record.
    """

    jobs: MediaJobStore
    slots: SlotStore
    times: CompletionTimes
    fetcher: MediaFetcher
    uploads: Uploads
    http: HttpClient
    router: Router
    keys: KeyPools
    driver: FlowDriver
    runner: AttemptRunner
    result_store: ResultStore
    telemetry: TelemetryWriter
    counters: Counters
    base_urls: Mapping[str, str]  # by provider name
    pace: float
    share: Callable[[str, Settlement], None]
    clock: Clock
    rng: Random
    purse_of: Callable[[JobRecord], Purse | None] = no_purse


class LongJobFunctions:
    """Submit, poll, settle. Each is put together, and its code imported, when it is first asked for: no function has
    all three.
    """

    def __init__(self, parts: JobParts) -> None:
        self._parts = parts
        self.jobs = parts.jobs
        self.telemetry = parts.telemetry

    @cached_property
    def submitter(self) -> JobSubmitter:
        """Submits a job to a vendor."""
        from mediarelay.long_jobs.submit.notes import SubmitNotes  # noqa: PLC0415
        from mediarelay.long_jobs.submit.recovery import SubmitRecovery  # noqa: PLC0415
        from mediarelay.long_jobs.submit.submit import JobSubmitter, SubmitParts  # noqa: PLC0415

        parts, slots, client = self._parts, self._slots, self._vendor_client
        notes = SubmitNotes(parts.jobs, parts.clock)
        recovery = SubmitRecovery(notes, parts.keys, slots, client, parts.result_store, parts.clock)
        submit = SubmitParts(parts.keys, slots, client, parts.runner, recovery, self._log, parts.clock, parts.purse_of)
        return JobSubmitter(parts.jobs, parts.router, parts.driver, submit, self._history, parts.clock)

    @cached_property
    def poller(self) -> JobPoller:
        """Asks how a job stands, and stops it."""
        from mediarelay.long_jobs.poll import JobPoller  # noqa: PLC0415

        parts = self._parts
        return JobPoller(
            parts.router, parts.keys, self._slots, self._vendor_client, self._history, self._log, clock=parts.clock
        )

    @cached_property
    def settler(self) -> JobSettler:
        """Fetches the result and settles the job."""
        from mediarelay.long_jobs.settle import JobSettler, SettleParts  # noqa: PLC0415
        from mediarelay.long_jobs.transfer.transfer import Transfer  # noqa: PLC0415

        parts = self._parts
        transfer = Transfer(parts.fetcher, parts.uploads, parts.clock)
        settle = SettleParts(self._slots, transfer, self._log, lambda: self.poller)
        return JobSettler(parts.jobs, parts.router, settle, share=parts.share, clock=parts.clock)

    @cached_property
    def _vendor_client(self) -> VendorJobClient:
        parts = self._parts
        return VendorJobClient(parts.http, base_urls=parts.base_urls, secrets=parts.keys.secrets, clock=parts.clock)

    @cached_property
    def _slots(self) -> AccountSlots:
        return AccountSlots(self._parts.slots, self._parts.keys, self._parts.clock, self._parts.rng)

    @cached_property
    def _history(self) -> CompletionHistory:
        return CompletionHistory(self._parts.times, pace=self._parts.pace)

    @cached_property
    def _log(self) -> JobLog:
        return JobLog(self._parts.telemetry, self._parts.counters, self._parts.clock)
