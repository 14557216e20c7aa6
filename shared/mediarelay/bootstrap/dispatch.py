"""Wiring of dispatch_request and draw_picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from functools import cache, partial
from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat, PositiveInt

from mediarelay.aws import clients
from mediarelay.bootstrap.calling import (
    CallingPorts,
    budgets_of,
    calling_parts,
    calling_ports,
    limit_store,
    long_jobs,
    media_jobs_of,
    shared_limiter,
)
from mediarelay.bootstrap.settings import LimitedSettings, hosts_of
from mediarelay.dispatch.batches import BatchService
from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import Inbox, RequestQueue, Seldom
from mediarelay.dispatch.sqs import SqsInbox, SqsRequests
from mediarelay.job_records.dynamodb import DynamoJobs
from mediarelay.job_records.job_spec import JobSpec, excerpt_of, whole_of
from mediarelay.job_records.ports import JobStore
from mediarelay.limits.limiter import LINGER_SECONDS
from mediarelay.limits.local_view import FleetClock
from mediarelay.limits.ports import LimitStore
from mediarelay.providers import listing
from mediarelay.request.model import MEDIA_REQUEST
from mediarelay.serving.serve import JobServer
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: most workers meet nothing but short texts or pictures.
if TYPE_CHECKING:
    from mediarelay.dispatch.reusing import ReusingServer
    from mediarelay.long_jobs.cancel import JobCanceller
    from mediarelay.long_jobs.ports import Executions
    from mediarelay.long_jobs.start import JobStarter, Machine


class DispatchSettings(LimitedSettings):
    """Environment of dispatch_request and draw_picture."""

    request_queue_url: str = Field(alias="REQUEST_QUEUE_URL", min_length=1)
    picture_queue_url: str = Field(alias="PICTURE_QUEUE_URL", default="")
    request_dlq_url: str = Field(alias="REQUEST_DLQ_URL", min_length=1)
    lost_requests_url: str = Field(alias="LOST_REQUESTS_URL", min_length=1)
    state_machine_arn: str = Field(alias="MEDIA_JOB_STATE_MACHINE_ARN", min_length=1)
    speech_machine_arn: str = Field(alias="LONG_SPEECH_STATE_MACHINE_ARN", min_length=1)
    webhook_url: str = Field(alias="WEBHOOK_URL", default="")
    result_retention_days: PositiveInt = Field(alias="RESULT_RETENTION_DAYS", default=30)
    disk_megabytes: int = Field(alias="DISK_MEGABYTES", default=512, ge=64)
    threads: PositiveInt = Field(alias="WORKER_THREADS", default=10)
    message_seconds: PositiveFloat = Field(alias="MESSAGE_SECONDS", default=147.5)
    keep_requests: str = Field(alias="KEEP_REQUESTS", default="none", pattern="^(none|excerpt|full)$")
    callback_hosts: str = Field(alias="CALLBACK_HOSTS", default="")


@frozen
class DispatchPorts:
    """The further ports of dispatch_request and draw_picture.

    Attributes:
        executions: Makes those of video and audio jobs, for the first of them.
        speeches: Makes executions of long texts, likewise.
        leases: None when workers share no limits.
        linger: How long one thread's request for a permit waits for those of others, in seconds.
        inbox_of: The queue by its ARN, where a worker may take more from it than it is given.
    """

    calling: CallingPorts
    jobs: JobStore
    queue: RequestQueue
    executions: Callable[[], Executions]
    speeches: Callable[[], Executions]
    leases: LimitStore | None
    fleet: FleetClock = field(default_factory=FleetClock)
    linger: float = LINGER_SECONDS
    inbox_of: Callable[[str], Inbox | None] = lambda _source: None


def build_batches(settings: DispatchSettings, ports: DispatchPorts | None = None) -> BatchService:
    """Wire everything that dispatch_request or draw_picture needs, over AWS or over the ports given."""
    ports = ports or dispatch_ports(settings)
    return BatchService(
        build_dispatch(settings, ports),
        ports.inbox_of,
        ports.calling.clock,
        threads=settings.threads,
        message_seconds=settings.message_seconds,
    )


def build_dispatch(settings: DispatchSettings, ports: DispatchPorts) -> DispatchService:
    """Wire what brings single messages to their end."""
    MEDIA_REQUEST.rebuild()  # here, where the processor is whole, and not with the first request
    clock = ports.calling.clock
    parts = calling_parts(
        settings,
        ports.calling,
        shared_limiter(ports.leases, ports.fleet, ports.calling, workers=settings.workers, linger=ports.linger),
        settings.disk_megabytes,
    )
    calling, records = ports.calling, ports.jobs
    budgets = budgets_of(calling.budgets, clock, calling.rng) if calling.budgets else None
    if budgets is not None:
        from mediarelay.budgets.jobs import BudgetedJobs  # noqa: PLC0415 # only where budgets are set

        records = BudgetedJobs(ports.jobs, budgets)
    server = JobServer(records, parts.driver, parts.keys, parts.runner, parts.result_store, parts.telemetry, clock)

    @cache
    def canceller() -> JobCanceller:
        # Imported here: only a cancellation pays for what it takes.
        from mediarelay.long_jobs.cancel import JobCanceller  # noqa: PLC0415

        jobs = long_jobs(settings, ports.calling, parts)
        providers = {**listing.providers(), **settings.added_servers.listed}
        return JobCanceller(
            jobs.jobs, ports.executions(), ports.speeches(), parts.keys, jobs, providers=providers, clock=clock
        )

    @cache
    def starter() -> JobStarter:
        from mediarelay.long_jobs.start import JobStarter  # noqa: PLC0415 # only what takes minutes is started

        return JobStarter(media_jobs_of(calling, budgets), _machines(settings, ports), clock)

    @cache
    def reusing() -> ReusingServer:
        from mediarelay.dispatch.reusing import ReusingServer  # noqa: PLC0415 # few requests ask for it

        kept = settings.result_retention_days * 24 * 3600
        return ReusingServer(ports.calling.reuse(), records, starter(), kept, clock)

    return DispatchService(
        records,
        ports.queue,
        parts.router,
        server,
        seldom=Seldom(
            starter,
            canceller,
            reusing,
            ports.calling.counters,
            lost_queue=_name(settings.lost_requests_url),
            front_queue=_name(settings.request_queue_url) if settings.picture_queue_url else "",
            keep={"excerpt": excerpt_of, "full": whole_of}.get(settings.keep_requests),
            callback_hosts=hosts_of(settings.callback_hosts) if settings.callback_hosts else (),
        ),
        clock=clock,
    )


def _machines(settings: DispatchSettings, ports: DispatchPorts) -> Callable[[JobSpec], Machine]:
    from mediarelay.long_jobs.start import Machine, media_job  # noqa: PLC0415 # as above

    media = Machine(ports.executions(), media_job(settings.webhook_url or None))

    def machine_of(spec: JobSpec) -> Machine:
        if not spec.in_parts:
            return media
        # Imported here: only a text that no model takes pays for what keeps it.
        from mediarelay.long_speech.start import speech_job  # noqa: PLC0415

        return Machine(ports.speeches(), speech_job(ports.calling.media))

    return machine_of


def dispatch_ports(settings: DispatchSettings) -> DispatchPorts:
    """Return the adapters of AWS."""
    table, fleet = clients.client("dynamodb"), FleetClock()
    calling = calling_ports(settings, table)
    machines, sqs = clients.client("stepfunctions"), clients.client("sqs")
    urls = {_name(url): url for url in (settings.request_queue_url, settings.picture_queue_url)}

    def inbox_of(source: str) -> Inbox | None:
        url = urls.get(source.rpartition(":")[2])
        return SqsInbox(sqs, url, source) if url else None

    def executions(machine: str) -> Executions:
        from mediarelay.long_jobs.step_functions import StepFunctions  # noqa: PLC0415 # as above

        return StepFunctions(machines, machine)

    return DispatchPorts(
        calling,
        jobs=DynamoJobs(table, settings.jobs_table),
        queue=SqsRequests(
            sqs,
            settings.request_queue_url,
            settings.request_dlq_url,
            settings.lost_requests_url,
            settings.picture_queue_url,
        ),
        inbox_of=inbox_of,
        executions=partial(executions, settings.state_machine_arn),
        speeches=partial(executions, settings.speech_machine_arn),
        leases=limit_store(settings, calling, fleet),
        fleet=fleet,
    )


def _name(queue_url: str) -> str:
    return queue_url.rpartition("/")[2]
