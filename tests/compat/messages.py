"""Everything that travels: deferred messages, states of executions, result events, alerts; and what secrets come to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from mediarelay.alerts.alerting import AlertService, Sources
from mediarelay.alerts.dynamodb import DynamoAlertLog
from mediarelay.alerts.sns import SnsAlerts
from mediarelay.alerts.telemetry_stream import telemetry_change
from mediarelay.announce.announcing import AnnounceService
from mediarelay.announce.sns import SnsResults
from mediarelay.api.tokens import TOKENS
from mediarelay.dispatch.ports import QueueMessage
from mediarelay.dispatch.sqs import SqsRequests
from mediarelay.job_records.contract import JobError, Output
from mediarelay.job_records.job_spec import fingerprint_of
from mediarelay.job_records.stream import job_change
from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.keys.parsing import keys_from
from mediarelay.limits.planning import Reservation
from mediarelay.long_jobs.execution_state import ExecutionEnd, ExecutionState, FoundResult, NextStep, VendorJob
from mediarelay.long_jobs.start import names
from mediarelay.request.model import MediaRequest
from mediarelay.request.parsing import Cancellation, parse_message
from mediarelay.serving.serve import Requeue
from mediarelay.vocabulary.kinds import JobStatus
from tests.compat.dispatching import dispatch_service
from tests.compat.jobs import AT, ATTEMPTS
from tests.compat.recorder import Recorder
from tests.doubles.clock import ManualClock
from tests.doubles.health import MemoryHealth, MemoryIncidents, MemoryLimitReports, MemoryPools
from tests.doubles.recording import PlainLinks
from tests.harness.local_aws import TELEMETRY

NOW: Final = AT / 1000
EVENTS: Final = Path(__file__).parents[2] / "events" / "requests"
REQUEST: Final = {"kind": "tts", "request_id": "job-1", "input": {"text": "Good morning."}, "tenant": "acme"}
# Nobody would take them for real ones.
SECRET: Final = {
    "OPENAI_API_KEYS": "fake-openai-key-0000,fake-openai-key-0001",
    "ELEVENLABS_API_KEY": "fake-elevenlabs-key-0000",
    "FAL_KEYS": [
        {"key": "fake-fal-key-0000", "account": "acme", "weight": 2, "rpm": 120, "burst": 4, "concurrency": 3},
        "fake-fal-key-0001",
    ],
    "KLING_API_KEYS": json.dumps([{"key": "fake-kling-access:fake-kling-secret", "account": "studio"}]),
    "GEMINI_API_KEYS": "",
    "GOOGLE_API_KEY": "fake-gemini-key-0000",
    "REPLICATE_API_TOKEN": "fake-replicate-key-0000",
}
TOKEN_SECRET: Final = [{"name": "dashboard", "token": "fake-token-of-the-dashboard", "expires_at": 1_830_000_000}]


class Client:
    """Stands for a client of SQS or SNS, and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def send_message(self, **call: Any) -> dict[str, Any]:
        call.pop("DelaySeconds", None)  # when it comes is not how it is written
        self.calls.append(call)
        return {}

    def publish(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call | {"Message": json.loads(call["Message"])})
        return {}

    def publish_batch(self, **call: Any) -> dict[str, Any]:
        self.calls += call["PublishBatchRequestEntries"]
        return {}


def deferred() -> list[dict[str, Any]]:
    """What a worker publishes again: without a reservation, with one, and after one that was not used."""
    client = Client()
    reservation = Reservation("openai-tts", "acme", "0123456789ab", NOW + 17.123456789, 3, 1.2345)
    before = {"mediarelay_request_id": "message-0", "mediarelay_sent_at": str(AT - 9000), "mediarelay_slot": "none"}
    for end, attributes in (
        (Requeue(NOW + 30), {}),
        (Requeue(NOW + 17, reservation), {"trace": "x-1"}),
        (Requeue(NOW + 30), before),
        (Requeue(NOW + 17, reservation), before | {"trace": "x-1"}),
    ):
        service = dispatch_service(SqsRequests(client, "queue", "dlq", "lost"), end, ManualClock(NOW))
        message = QueueMessage("message-1", "receipt-1", json.dumps(REQUEST), AT - 1500, 1, attributes, "acme")
        service.handle(message, worker_ends_at=NOW + 60)
    unreadable = QueueMessage("message-2", "receipt-2", '{"kind": "tts"}', AT - 1500, 1, {"trace": "x-1"}, "acme")
    service.handle(unreadable, worker_ends_at=NOW + 60)
    return client.calls


def executions() -> dict[str, Any]:
    """The state of an execution before every step, and the names that executions get."""
    vendor = VendorJob(
        provider="kling-video",
        model="kling-v2-6",
        key_id="0123456789ab",
        account="studio",
        task={"task_id": "t-1"},
        accepted_at=NOW + 2.5,
        polls=3,
        troubles=1,
        absences=1,
    )
    result = FoundResult(
        urls=["https://media.invalid/clip.mp4"],
        formats=["mp4"],
        cost_usd=0.35,
        found_at=NOW + 90.5,
        fetch_until=NOW + 86_400,
        tries=2,
    )
    output = Output(key="video/2026/12/23/job-1/x-0.mp4", content_type="video/mp4", bytes=4096, sha256="ab" * 32)
    well = ExecutionEnd(
        status=JobStatus.SUCCEEDED, outputs=[output], cost_usd=0.35, provider="kling-video", model="kling-v2-6"
    )
    failed = ExecutionEnd(
        status=JobStatus.FAILED, error=JobError(code="no_provider_left", message="Nobody could.", retryable=True)
    )
    request = parse_request(json.dumps({"kind": "video", "input": {"prompt": "A lighthouse."}, "tenant": "acme"}))
    fresh = ExecutionState(
        request_id="job-1",
        request=request,
        providers=["kling-video", "fal-kling"],
        received_at=AT,
        opened_at=AT + 500,
        expires_at=AT // 1000 + 3600,
        ttl=AT // 1000 + 86_400,
    )
    parts: Mapping[NextStep, dict[str, Any]] = {
        NextStep.SUBMIT: {},
        NextStep.WAIT_TO_SUBMIT: {"submits": 2, "wait_seconds": 20, "attempts": list(ATTEMPTS)},
        NextStep.WAIT_TO_POLL: {"vendor": vendor, "wait_seconds": 40},
        NextStep.WAIT_TO_BE_TOLD: {"vendor": vendor, "wait_seconds": 300, "webhook_url": "https://api.invalid/fal"},
        NextStep.SETTLE: {"vendor": vendor, "result": result},
        NextStep.WAIT_TO_SETTLE: {"vendor": vendor, "result": result, "wait_seconds": 5},
        NextStep.DONE: {"ending": well, "vendor": vendor},
    }
    states = {str(step): fresh.model_copy(update={"next": step, **more}) for step, more in parts.items()}
    states["failed"] = fresh.model_copy(update={"next": NextStep.SETTLE, "ending": failed})
    return {
        "states": {name: state.to_state() for name, state in states.items()},
        "names": {job: list(names(job, AT)) for job in ("job-1", "job-1#kling-video", "j" * 100)},
    }


def results(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries published for these changes of the Jobs table."""
    client = Client()
    service = AnnounceService(SnsResults(client, "topic"), PlainLinks(), clock=ManualClock(NOW), link_seconds=3600)
    told = [event for change in changes if (event := service.event_of(*_job_change(change))) is not None]
    service.announce(told)
    return [entry | {"Message": json.loads(entry["Message"])} for entry in client.calls]


def _job_change(change: dict[str, Any]) -> tuple[Any, Any]:
    before, after = job_change(change)
    assert after is not None
    return before, after


class Apart(MemoryIncidents):
    """Nothing waits for others of its vendor: what a single alert is has not changed."""

    def claim(self, topic: str, *, now: float, seconds: float) -> bool:
        """See `alerts.ports.IncidentStates.claim`."""
        return super().claim(f"{topic} {len(self._spoken)}", now=now, seconds=seconds)


def alerts(recorder: Recorder) -> list[dict[str, Any]]:
    """What is published for the changes of the Telemetry table; notes the alerts in it."""
    client, queued, states = Client(), count(7), DynamoKeyStates(recorder.client, TELEMETRY)
    service = AlertService(
        SnsAlerts(client, "topic"),
        DynamoAlertLog(recorder.client, TELEMETRY),
        Apart(),
        Sources(states, MemoryPools(), MemoryHealth, MemoryLimitReports),
        vendor_of=lambda provider: provider.partition("-")[0],
        queued=lambda: next(queued),
        clock=ManualClock(NOW + 15),
    )
    for change in list(recorder.changes):
        found: Any = telemetry_change(change)
        match type(getattr(found, "after", None)).__name__:
            case "HealthRecord":
                recorder.does(partial(service.provider_changed, found.before, found.after))
            case "KeyVerdict":
                recorder.does(partial(service.key_changed, found.before, found.after))
            case "PoolState":
                recorder.does(partial(service.pool_changed, found.before, found.after))
    return client.calls


def secrets() -> dict[str, Any]:
    """What operators wrote, and what it was taken for."""
    keys = {vendor: [asdict(key.entry) for key in found] for vendor, found in keys_from(SECRET).items()}
    tokens = [
        {"name": token.name, "expires_at": token.expires_at} for token in TOKENS.validate_json(json.dumps(TOKEN_SECRET))
    ]
    return {"keys_secret": SECRET, "keys": keys, "tokens_secret": TOKEN_SECRET, "tokens": tokens}


def parse_request(body: str) -> MediaRequest:
    request = parse_message(body)
    assert not isinstance(request, Cancellation)
    return request


def requests(folder: Path = EVENTS) -> dict[str, Any]:
    """Requests, and the fingerprint by which a duplicate is told from another content."""
    bodies = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("[!b]*.json"))}
    return {
        name: {"body": json.loads(body), "fingerprint": fingerprint_of(parse_request(body))}
        for name, body in bodies.items()
    }


def everything(jobs: Recorder, telemetry: Recorder) -> dict[str, Any]:
    """Returns all of it, once the tables are filled, by the name of its file; tables as the changes made to them."""
    published = alerts(telemetry)
    return {
        "jobs": jobs.changes,
        "telemetry": telemetry.changes,
        "messages": deferred(),
        "executions": executions(),
        "results": results(jobs.changes),
        "alerts": published,
        "secrets": secrets(),
        "requests": requests(),
    }
