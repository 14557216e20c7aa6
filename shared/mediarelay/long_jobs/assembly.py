"""The three services of a video or audio job, put together from ports; wiring and tests do it the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from mediarelay.http.ports import HttpClient
from mediarelay.keys.pools import KeyPools
from mediarelay.long_jobs.account_slots import AccountSlots
from mediarelay.long_jobs.attempt_log import JobLog
from mediarelay.long_jobs.poll import JobPoller
from mediarelay.long_jobs.polling.history import CompletionHistory
from mediarelay.long_jobs.polling.ports import CompletionTimes
from mediarelay.long_jobs.ports import MediaJobStore, SlotStore
from mediarelay.long_jobs.settle import JobSettler
from mediarelay.long_jobs.submit.notes import SubmitNotes
from mediarelay.long_jobs.submit.recovery import SubmitRecovery
from mediarelay.long_jobs.submit.submit import JobSubmitter, SubmitParts
from mediarelay.long_jobs.transfer.ports import MediaFetcher, Uploads
from mediarelay.long_jobs.transfer.transfer import Transfer
from mediarelay.long_jobs.vendor_client import VendorJobClient
from mediarelay.metrics.writer import TelemetryWriter
from mediarelay.results.result_store import ResultStore
from mediarelay.routing.router import Router
from mediarelay.serving.attempts import AttemptRunner
from mediarelay.serving.flow_driver import FlowDriver
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.counters import Counters


@dataclass(frozen=True)
class JobParts:
    """What the services are made of. `pace` as in `CompletionHistory`; `base_urls` by provider name."""

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
    base_urls: Mapping[str, str]
    pace: float
    clock: Clock
    rng: Random


@dataclass(frozen=True)
class LongJobFunctions:
    """Submit, poll, settle."""

    jobs: MediaJobStore
    submitter: JobSubmitter
    poller: JobPoller
    settler: JobSettler
    telemetry: TelemetryWriter


def assembled(parts: JobParts) -> LongJobFunctions:
    """Assemble one worker's services."""
    keys, router, clock = parts.keys, parts.router, parts.clock
    vendor_client = VendorJobClient(parts.http, base_urls=parts.base_urls, secrets=keys.secrets, clock=clock)
    slots = AccountSlots(parts.slots, keys, clock, parts.rng)
    history = CompletionHistory(parts.times, pace=parts.pace)
    log = JobLog(parts.telemetry, parts.counters, clock)
    notes = SubmitNotes(parts.jobs, clock)
    recovery = SubmitRecovery(notes, keys, slots, vendor_client, parts.result_store, clock)
    submit = SubmitParts(keys, slots, vendor_client, parts.runner, recovery, log, clock)
    submitter = JobSubmitter(parts.jobs, router, parts.driver, submit, history, clock)
    poller = JobPoller(router, keys, slots, vendor_client, history, log, clock=clock)
    transfer = Transfer(parts.fetcher, parts.uploads, clock)
    settler = JobSettler(parts.jobs, router, slots, transfer, log, clock=clock)
    return LongJobFunctions(parts.jobs, submitter, poller, settler, parts.telemetry)
