"""fal's queue protocol, whatever the model."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tools.simulator import webhook
from tools.simulator.state.faults import Target, named_reply
from tools.simulator.state.jobs import Job
from tools.simulator.wire import Call, NamedErrors, Operation, Purchase, Reply, Trouble, failed, json_reply

from .errors import platform, refusal

_REQUEST = r"(?P<app>fal-ai/[\w.-]+)/requests/(?P<id>[\w-]+)"
_STREAM_POLL_SECONDS = 0.05
# What the model itself refuses is told by the result alone: its status is that of a job that is done.
_BY_THE_MODEL = 422
_NOT_STARTED = platform(504, "timeout", "Request was not started in time", "request_timeout", retryable=False)
_LATE = replace(_NOT_STARTED, headers={**_NOT_STARTED.headers, "x-fal-request-timeout-type": "user"})


@dataclass(frozen=True)
class Prepared:
    """A checked request: what it costs, how to make the model's output, and which operation the work is."""

    purchase: Purchase
    output: Callable[[], dict[str, Any]]
    run: str = "queue_run"


Model = Callable[[Call], Prepared]


class FalQueue:
    """Submit, status, stream, result and cancel. `models` matches the path of a submit as the group `model`."""

    def __init__(self, models: str, prepare: Model, errors: NamedErrors) -> None:
        self._prepare = prepare
        self._errors = errors
        routes = (
            ("queue_submit", "POST", models, self._submit),
            ("queue_status", "GET", f"{_REQUEST}/status", self._with_job(_status)),
            ("queue_stream", "GET", f"{_REQUEST}/status/stream", self._with_job(_stream)),
            ("queue_result", "GET", _REQUEST, self._with_job(_result)),
            ("queue_cancel", "PUT", f"{_REQUEST}/cancel", self._with_job(_cancel)),
        )
        self.operations = tuple(
            Operation(name, "falqueue", method, re.compile(path), handler, paid=name == "queue_submit")
            for name, method, path, handler in routes
        )

    def _submit(self, call: Call) -> Reply:
        prepared = self._prepare(call)
        hook = call.query.get("fal_webhook")
        if hook and not webhook.acceptable(hook):
            raise refusal("fal_webhook", "value_error", "the simulator only calls http receivers on loopback")
        job = self._job(call, prepared, hook)
        answer = {"status": "IN_QUEUE", "queue_position": 0, **_links(job, call.origin), "gateway_request_id": job.id}
        reply = json_reply(200, answer, {"x-fal-request-id": job.id}, "accepted")
        return replace(reply, purchase=prepared.purchase, commit=partial(call.world.jobs.submit, job))

    def _job(self, call: Call, prepared: Prepared, hook: str | None) -> Job:
        return Job(
            id=secrets.token_hex(16),
            # All that follows the application's name is dropped from the URLs.
            kind="/".join(call.path["model"].split("/")[:2]),
            account=call.account,
            work=partial(self._run, call, prepared),
            late=_LATE,
            refund=partial(call.world.refund, call, prepared.purchase),
            start_within=_seconds(call.headers.get("x-fal-request-timeout")),
            on_end=partial(_notify, hook) if hook else None,
            key_id=call.holder.key_id,
        )

    async def _run(self, call: Call, prepared: Prepared) -> Reply:
        """The work itself. A fault rule for its operation delays it, makes it fail, or (`timeout`) never end."""
        world = call.world
        rule, delay = world.faults.choose(Target("fal", prepared.run, call.holder, call.body), world.clock())
        await asyncio.sleep(delay + world.latency.draw("fal", prepared.run))
        if rule is not None and rule.kind == "timeout":
            await asyncio.Event().wait()
        if rule is None:
            return json_reply(200, prepared.output())
        if rule.kind != "status":
            return self._errors["runner_disconnected"](Trouble(call.account))
        return named_reply(rule, self._errors, Trouble(call.account, origin=call.origin, request_id=call.request_id))

    def _with_job(self, handler: Callable[[Job, Call], Reply]) -> Callable[[Call], Reply]:
        """Find the job that a path names. Requests belong to an account: others don't see them."""

        def handle(call: Call) -> Reply:
            job = call.world.jobs.find(call.path["id"])
            if job is None or job.account.name != call.account.name or job.kind != call.path["app"]:
                return platform(404, "not_found", f"Request {call.path['id']} not found")
            call.world.stats.foreign_polls += job.key_id != call.holder.key_id
            return handler(job, call)

        return handle


def _seconds(value: str | None) -> float | None:
    try:
        return float(value) if value else None
    except ValueError:
        return None


def _links(job: Job, origin: str) -> dict[str, str]:
    base = f"{origin}/falqueue/{job.kind}/requests/{job.id}"
    return {"request_id": job.id, "response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}


async def _notify(hook: str, job: Job) -> None:
    result = job.result
    event = {"request_id": job.id, "gateway_request_id": job.id, "status": "ERROR" if failed(result) else "OK"}
    extra = {"error": _reason(result)[0]} if failed(result) else {}
    await webhook.post(hook, event | extra | {"payload": json.loads(result.body)})


def _reason(result: Reply) -> tuple[str, str]:
    """Text and kind of a failed job's error."""
    kind = result.headers.get("x-fal-error-type", "internal_server_error")
    try:
        detail = json.loads(result.body)["detail"]
        return (detail if isinstance(detail, str) else detail[0]["msg"]), kind
    except (ValueError, LookupError, TypeError):
        # A rule may give any body; then the kind is all there is to tell.
        return kind, kind


def _describe(job: Job, call: Call) -> tuple[int, dict[str, Any]]:
    """HTTP status and status object. There are three words, and failure is not one of them."""
    links = _links(job, call.origin)
    if job.state == "queued":
        return 202, {"status": "IN_QUEUE", "queue_position": call.world.jobs.ahead_of(job), **links}
    logs = [_log_line(job)] if call.query.get("logs", "").lower() in ("1", "true") else None
    if job.state == "running":
        return 202, {"status": "IN_PROGRESS", "logs": logs, **links}
    metrics = {"inference_time": max(0.0, job.ended - job.started) if job.started else 0.0}
    answer = {"status": "COMPLETED", "logs": logs, "metrics": metrics, **links}
    if failed(job.result) and job.result.status != _BY_THE_MODEL:
        answer["error"], answer["error_type"] = _reason(job.result)
    return 200, answer


def _log_line(job: Job) -> dict[str, str]:
    return {
        "message": f"running {job.kind}",
        "level": "INFO",
        "source": "simulator",
        "timestamp": "2026-11-23T00:00:00Z",
    }


def _status(job: Job, call: Call) -> Reply:
    status, answer = _describe(job, call)
    return json_reply(status, answer, {"x-fal-request-id": job.id})


def _stream(job: Job, call: Call) -> Reply:
    return Reply(200, content_type="text/event-stream", stream=partial(_events, job, call))


async def _events(job: Job, call: Call) -> AsyncIterator[bytes]:
    told: dict[str, Any] = {}
    while True:
        status, answer = _describe(job, call)
        if answer != told:
            yield f"data: {json.dumps(answer)}\n\n".encode()
            told = answer
        if status == 200:  # noqa: PLR2004 - complete
            return
        await asyncio.sleep(_STREAM_POLL_SECONDS)


def _result(job: Job, _call: Call) -> Reply:
    if job.state in ("queued", "running"):
        return json_reply(400, {"detail": "Request is still in progress"}, outcome="in_progress")
    return replace(job.result, headers={**job.result.headers, "x-fal-request-id": job.id})


def _cancel(job: Job, call: Call) -> Reply:
    cancelled = platform(400, "cancelled", "Request was cancelled", "request_cancelled")
    if not call.world.jobs.cancel(job, cancelled):
        return json_reply(400, {"status": "ALREADY_COMPLETED"}, outcome="too_late")
    return json_reply(202, {"status": "CANCELLATION_REQUESTED"}, outcome="cancelled")
