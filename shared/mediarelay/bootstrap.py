"""Wiring: the only place where adapters are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from mediarelay.adapters import aws
from mediarelay.adapters.clock import SystemClock
from mediarelay.adapters.dynamodb_health import DynamoHealth
from mediarelay.adapters.dynamodb_jobs import DynamoJobs
from mediarelay.adapters.dynamodb_key_states import DynamoKeyStates
from mediarelay.adapters.dynamodb_metrics import DynamoMetrics
from mediarelay.adapters.dynamodb_trials import DynamoTrials
from mediarelay.adapters.emf_metrics import EmfMetrics
from mediarelay.adapters.http import RequestsHttp
from mediarelay.adapters.key_sources import EnvironmentKeys, SecretKeys
from mediarelay.adapters.leases import LocalLeases
from mediarelay.adapters.s3_media import S3Links, S3Media
from mediarelay.adapters.sns_results import SnsResults
from mediarelay.adapters.sqs_requests import SqsRequests
from mediarelay.core.rotation import PowerOfTwoChoices, RotationPolicy, RoundRobin
from mediarelay.ports import KeySource, MetricSink
from mediarelay.providers.base import Provider
from mediarelay.providers.registry import PROVIDERS
from mediarelay.services.announcing import AnnounceService
from mediarelay.services.attempts import AttemptRunner
from mediarelay.services.dispatch import DispatchService
from mediarelay.services.fleet_health import FleetHealth
from mediarelay.services.key_ring import KeyRing
from mediarelay.services.results import ResultShelf
from mediarelay.services.router import Router
from mediarelay.services.serving import JobServer
from mediarelay.services.telemetry import TelemetryWriter
from mediarelay.settings import AnnounceSettings, DispatchSettings, environment

_POLICIES: Final[Mapping[str, Callable[[], RotationPolicy]]] = {
    "round_robin": RoundRobin,
    "power_of_two": PowerOfTwoChoices,
}


def build_dispatch(settings: DispatchSettings) -> DispatchService:
    """Everything dispatch_request needs."""
    clock, rng = SystemClock(), Random()  # noqa: S311 # jitter and rotation, not cryptography
    table, telemetry_client = aws.client("dynamodb"), aws.client("dynamodb", aws.TELEMETRY_CONFIG)
    states = DynamoKeyStates(telemetry_client, settings.telemetry_table)
    sinks: list[MetricSink] = [
        DynamoMetrics(telemetry_client, settings.telemetry_table),
        EmfMetrics(settings.namespace),
    ]
    telemetry = TelemetryWriter(states, sinks)
    keys = KeyRing(
        key_source(settings.keys_secret_id),
        states,
        LocalLeases(),
        telemetry,
        clock=clock,
        rng=rng,
        policy=_POLICIES[settings.key_rotation],
    )
    providers = {name: provider for name, provider in PROVIDERS.items() if name in (settings.providers or PROVIDERS)}
    health = FleetHealth(
        DynamoHealth(telemetry_client, settings.telemetry_table),
        DynamoTrials(telemetry_client, settings.telemetry_table),
        kinds={name: provider.kind for name, provider in providers.items()},
        has_keys=lambda name: keys.has_keys(providers[name].vendor),
        clock=clock,
    )
    router = Router(
        providers,
        usable_keys=lambda name: keys.usable(providers[name].vendor, name),
        has_keys=keys.has_keys,
        health=health,
        rng=rng,
    )
    shelf = ResultShelf(S3Media(aws.client("s3", aws.BUCKET_CONFIG), settings.results_bucket), clock)
    runner = AttemptRunner(
        RequestsHttp(clock, allow_plain_http=settings.stage == "local"),
        shelf,
        base_urls=base_urls(providers),
        secrets=keys.secrets,
        clock=clock,
    )
    jobs = DynamoJobs(table, settings.jobs_table)
    queue = SqsRequests(aws.client("sqs"), settings.request_queue_url, settings.request_dlq_url)
    server = JobServer(jobs, router, keys, runner, shelf, telemetry, health, clock=clock, rng=rng)
    return DispatchService(jobs, queue, router, server, keys, telemetry, clock=clock)


def build_announce(settings: AnnounceSettings) -> AnnounceService:
    """Everything announce_result needs."""
    links = S3Links(aws.client("s3", aws.BUCKET_CONFIG), settings.results_bucket, settings.presigned_url_seconds)
    topic = SnsResults(aws.client("sns"), settings.media_results_topic_arn)
    return AnnounceService(topic, links, clock=SystemClock(), link_seconds=settings.presigned_url_seconds)


def base_urls(providers: Mapping[str, Provider]) -> Mapping[str, str]:
    """Of the providers whose address is not the vendor's own."""
    variables = environment()
    addresses = {name: variables.get(provider.base_url_variable, "") for name, provider in providers.items()}
    return {name: address for name, address in addresses.items() if address}


def key_source(secret_id: str) -> KeySource:
    """The secret, or without one the environment."""
    if secret_id:
        return SecretKeys(secret_id, aws.STORE_CONFIG, fallback=environment())
    return EnvironmentKeys(environment())
