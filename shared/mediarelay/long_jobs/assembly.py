"""The three services of a video or audio job, put together from ports; wiring and tests do it the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from mediarelay.job_ports import CompletionTimes, MediaFetcher, MediaJobStore, SlotStore, Uploads
from mediarelay.lease_ports import Counters
from mediarelay.ports import Clock, HttpClient
from mediarelay.services.account_slots import AccountSlots
from mediarelay.services.attempts import AttemptRunner
from mediarelay.services.completion_history import CompletionHistory
from mediarelay.services.fleet_health import FleetHealth
from mediarelay.services.job_log import JobLog
from mediarelay.services.job_polling import JobPoller
from mediarelay.services.job_settling import JobSettler
from mediarelay.services.job_submitting import JobSubmitter
from mediarelay.services.job_wire import JobWire
from mediarelay.services.key_ring import KeyRing
from mediarelay.services.results import ResultShelf
from mediarelay.services.router import Router
from mediarelay.services.submit_keys import SubmitKeys
from mediarelay.services.submit_recovery import SubmitRecovery
from mediarelay.services.submit_visit import SubmitNotes
from mediarelay.services.telemetry import TelemetryWriter
from mediarelay.services.transfer import Transfer


@dataclass(frozen=True)
class JobParts:
    """What they are made of. `pace` as in `CompletionHistory`; `base_urls` by provider name."""

    jobs: MediaJobStore
    slots: SlotStore
    times: CompletionTimes
    fetcher: MediaFetcher
    uploads: Uploads
    http: HttpClient
    router: Router
    keys: KeyRing
    health: FleetHealth
    runner: AttemptRunner
    shelf: ResultShelf
    telemetry: TelemetryWriter
    counters: Counters
    base_urls: Mapping[str, str]
    pace: float
    clock: Clock
    rng: Random


@dataclass(frozen=True)
class LongJobs:
    """Submit, poll, settle."""

    jobs: MediaJobStore
    submitter: JobSubmitter
    poller: JobPoller
    settler: JobSettler
    telemetry: TelemetryWriter


def assembled(parts: JobParts) -> LongJobs:
    """One worker's services."""
    keys, router, clock = parts.keys, parts.router, parts.clock
    wire = JobWire(parts.http, base_urls=parts.base_urls, secrets=keys.secrets, clock=clock)
    slots = AccountSlots(parts.slots, keys, clock)
    history = CompletionHistory(parts.times, pace=parts.pace)
    log = JobLog(parts.telemetry, parts.counters, clock)
    notes = SubmitNotes(parts.jobs, clock)
    recovery = SubmitRecovery(notes, router, keys, slots, wire, parts.shelf, clock)
    submitter = JobSubmitter(
        parts.jobs,
        router,
        keys,
        slots,
        SubmitKeys(keys, slots, parts.health, clock=clock, rng=parts.rng),
        wire,
        parts.runner,
        recovery,
        notes,
        history,
        log,
        clock=clock,
        rng=parts.rng,
    )
    poller = JobPoller(router, keys, slots, wire, history, log, clock=clock)
    transfer = Transfer(parts.fetcher, parts.uploads, clock)
    settler = JobSettler(parts.jobs, router, slots, transfer, log, clock=clock)
    return LongJobs(parts.jobs, submitter, poller, settler, parts.telemetry)
