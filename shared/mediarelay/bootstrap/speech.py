"""Wiring of speak_part and steer_speech, which serve long texts."""

from __future__ import annotations

from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING

from mediarelay.aws import clients
from mediarelay.bootstrap.calling import (
    CallingPorts,
    budgets_of,
    calling_parts,
    calling_ports,
    limit_store,
    media_jobs_of,
    share_result,
    shared_limiter,
)
from mediarelay.bootstrap.settings import LimitedSettings, ProviderSettings
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.ports import JobStore
from mediarelay.limits.limiter import LINGER_SECONDS
from mediarelay.limits.local_view import FleetClock
from mediarelay.limits.ports import LimitStore
from mediarelay.long_speech.dynamodb import DynamoSpeechProgress
from mediarelay.long_speech.originals import Originals
from mediarelay.long_speech.ports import SpeechProgress
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: each of the two functions imports what it is made of.
if TYPE_CHECKING:
    from mediarelay.long_speech.speak import PartSpeaker
    from mediarelay.long_speech.steer import SpeechSteerer


class SpeakSettings(LimitedSettings):
    """Environment of speak_part."""


@frozen
class SpeakPorts:
    """The ports of speak_part; `leases`, `fleet` and `linger` as those of dispatch_request."""

    calling: CallingPorts
    jobs: JobStore
    progress: SpeechProgress
    leases: LimitStore | None
    fleet: FleetClock = field(default_factory=FleetClock)
    linger: float = LINGER_SECONDS


@frozen
class SteerPorts:
    """The ports of steer_speech."""

    calling: CallingPorts
    progress: SpeechProgress


def build_speaker(settings: SpeakSettings, ports: SpeakPorts | None = None) -> PartSpeaker:
    """Wire everything that speak_part needs, over AWS or over the ports given."""
    from mediarelay.long_speech.speak import PartSpeaker  # noqa: PLC0415 # see above
    from mediarelay.serving.serve import JobServer  # noqa: PLC0415

    ports = ports or _speak_ports(settings)
    calling, clock = ports.calling, ports.calling.clock
    limiter = shared_limiter(ports.leases, ports.fleet, calling, workers=settings.workers, linger=ports.linger)
    parts = calling_parts(settings, calling, limiter)
    server = JobServer(ports.jobs, parts.driver, parts.keys, parts.runner, parts.result_store, parts.telemetry, clock)
    return PartSpeaker(
        calling.job_ports().media_jobs, ports.progress, Originals(calling.media), parts.router, server, clock
    )


def build_steerer(settings: ProviderSettings, ports: SteerPorts | None = None) -> SpeechSteerer:
    """Wire everything that steer_speech needs, over AWS or over the ports given."""
    from mediarelay.long_jobs.assembly import no_purse  # noqa: PLC0415 # see above
    from mediarelay.long_speech.joining import PartJoiner  # noqa: PLC0415
    from mediarelay.long_speech.steer import SpeechSteerer, SteerParts  # noqa: PLC0415
    from mediarelay.long_speech.voices import PartVoices  # noqa: PLC0415

    ports = ports or _steer_ports(settings)
    calling = ports.calling
    parts = calling_parts(settings, calling, None)  # it calls nobody
    budgets = budgets_of(calling.budgets, calling.clock, calling.rng) if calling.budgets else None
    media_jobs = media_jobs_of(calling, budgets)
    steering = SteerParts(
        Originals(calling.media),
        PartVoices(parts.router),
        PartJoiner(calling.media, calling.job_ports().uploads),
        parts.result_store,
        calling.counters,
        partial(share_result, calling),
        budgets.purse_of if budgets else no_purse,
    )
    return SpeechSteerer(media_jobs, ports.progress, steering, calling.clock)


def _speak_ports(settings: SpeakSettings) -> SpeakPorts:
    fleet, table = FleetClock(), clients.client("dynamodb")
    calling = calling_ports(settings, table)
    return SpeakPorts(
        calling,
        jobs=DynamoJobs(table, settings.jobs_table),
        progress=DynamoSpeechProgress(table, settings.jobs_table),
        leases=limit_store(settings, calling, fleet),
        fleet=fleet,
    )


def _steer_ports(settings: ProviderSettings) -> SteerPorts:
    table = clients.client("dynamodb")
    return SteerPorts(calling_ports(settings, table), DynamoSpeechProgress(table, settings.jobs_table))
