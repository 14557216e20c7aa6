"""The ports of the functions that call providers, over AWS; another world may be given to the wiring instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import DispatchSettings, ProviderSettings, SpeakSettings
from mediarelay.bootstrap.shared import key_source, provider_addresses
from mediarelay.dispatch.ports import RequestQueue
from mediarelay.dispatch.sqs import SqsRequests
from mediarelay.health.circuit.ports import SharedHealth
from mediarelay.health.dynamodb import DynamoSharedHealth
from mediarelay.http.connections import RequestsHttp
from mediarelay.http.ports import HttpClient
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.ports import JobStore
from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.keys.ports import KeySource, KeyStates
from mediarelay.limits.dynamodb import DynamoLimits, ServerDate
from mediarelay.limits.limiter import LINGER_SECONDS
from mediarelay.limits.local_view import FleetClock
from mediarelay.limits.ports import LimitStore
from mediarelay.long_jobs.dynamodb import DynamoMediaJobs, DynamoSlots
from mediarelay.long_jobs.polling.dynamodb import DynamoCompletionTimes
from mediarelay.long_jobs.polling.ports import CompletionTimes
from mediarelay.long_jobs.ports import Executions, MediaJobStore, SlotStore
from mediarelay.long_jobs.step_functions import StepFunctions
from mediarelay.long_jobs.transfer.client import RequestsMediaFetcher
from mediarelay.long_jobs.transfer.ports import MediaFetcher, Uploads
from mediarelay.long_jobs.transfer.s3 import S3Uploads
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.metrics.emf import EmfCounters, EmfMetrics
from mediarelay.metrics.ports import MetricSink
from mediarelay.results.ports import MediaStore
from mediarelay.results.s3 import S3Media
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.counters import Counters


@dataclass(frozen=True)
class CallingPorts:
    """What every function that calls providers reaches beyond itself. `base_urls` by provider name."""

    clock: Clock
    rng: Random
    http: HttpClient
    base_urls: Mapping[str, str]
    source: KeySource
    states: KeyStates
    sinks: Sequence[MetricSink]
    counters: Counters
    shared_health: SharedHealth
    media: MediaStore
    media_jobs: MediaJobStore
    slots: SlotStore
    times: CompletionTimes
    fetcher: MediaFetcher
    uploads: Uploads


@dataclass(frozen=True)
class DispatchPorts:
    """The further ports of dispatch_request.

    Attributes:
        executions: Of video and audio jobs.
        speeches: Executions of long texts.
        leases: None when workers share no limits.
        linger: How long one thread's request for a permit waits for those of others, in seconds.
    """

    calling: CallingPorts
    jobs: JobStore
    queue: RequestQueue
    executions: Executions
    speeches: Executions
    leases: LimitStore | None
    fleet: FleetClock = field(default_factory=FleetClock)
    linger: float = LINGER_SECONDS


def calling_ports(settings: ProviderSettings, table: Any = None) -> CallingPorts:
    """Return the adapters of AWS; *table* is a client of DynamoDB that the caller has."""
    clock = SystemClock()
    table = table or clients.client("dynamodb")
    telemetry = clients.client("dynamodb", clients.TELEMETRY_CONFIG)
    bucket = clients.client("s3", clients.BUCKET_CONFIG)
    local = settings.stage == "local"
    return CallingPorts(
        clock=clock,
        rng=Random(),  # noqa: S311 # jitter and rotation, not cryptography
        http=RequestsHttp(clock, allow_plain_http=local),
        base_urls=provider_addresses(settings.provider_base_urls, settings.added_servers),
        source=key_source(settings.keys_secret_id, settings.added_servers),
        states=DynamoKeyStates(telemetry, settings.telemetry_table),
        sinks=[DynamoMetrics(telemetry, settings.telemetry_table), EmfMetrics(settings.namespace)],
        counters=EmfCounters(settings.namespace, settings.stage),
        shared_health=DynamoSharedHealth(telemetry, settings.telemetry_table),
        media=S3Media(bucket, settings.results_bucket),
        media_jobs=DynamoMediaJobs(table, settings.jobs_table),
        slots=DynamoSlots(table, settings.telemetry_table),
        times=DynamoCompletionTimes(table, settings.telemetry_table),
        fetcher=RequestsMediaFetcher(clock, extra_hosts=settings.media_hosts, local=local),
        uploads=S3Uploads(bucket, settings.results_bucket),
    )


def dispatch_ports(settings: DispatchSettings) -> DispatchPorts:
    """Return the adapters of AWS."""
    table, fleet = clients.client("dynamodb"), FleetClock()
    calling = calling_ports(settings, table)
    machines = clients.client("stepfunctions")
    return DispatchPorts(
        calling,
        jobs=DynamoJobs(table, settings.jobs_table),
        queue=SqsRequests(clients.client("sqs"), settings.request_queue_url, settings.request_dlq_url),
        executions=StepFunctions(machines, settings.state_machine_arn),
        speeches=StepFunctions(machines, settings.speech_machine_arn),
        leases=limit_store(settings, calling, fleet),
        fleet=fleet,
    )


def limit_store(
    settings: DispatchSettings | SpeakSettings, calling: CallingPorts, fleet: FleetClock
) -> LimitStore | None:
    """Return the limits' table; None where workers share none."""
    if settings.leases != "on":
        return None
    client = clients.client("dynamodb", clients.LEASE_CONFIG)
    return DynamoLimits(client, settings.telemetry_table, ServerDate(calling.clock, fleet))
