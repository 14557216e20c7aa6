"""Replicate: predictions of official models, and their media host. Problem-style errors, which have no codes."""

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any

from tools.simulator.media import catalogue, clips, tone
from tools.simulator.state.accounts import Account
from tools.simulator.state.faults import Target
from tools.simulator.state.jobs import Job
from tools.simulator.vendors.fal.api import refuse_credentials
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Refused, Reply, Trouble, json_reply
from tools.simulator.wire import failed as has_failed

# US dollars per second of a clip, and per character of speech.
_CLIPS = {"kwaivgi/kling-v2.5-turbo-pro": 0.07}
_SPEECH = {f"minimax/speech-{model}": price for model, price in (("2.8-turbo", 60e-6), ("2.8-hd", 100e-6))}
_SPEECH |= {f"minimax/speech-{model}": price for model, price in (("2.6-turbo", 60e-6), ("2.6-hd", 100e-6))}
_PRICES = {**_CLIPS, **_SPEECH}
_TEXT_CHARACTERS = 10_000
_RATES = (8000, 16000, 22050, 24000, 32000, 44100)
_GOLDEN_MP3_RATES = (24000, 32000, 44100)
_FLAC_RATE = 24000
_USUAL_RATE = 10.0  # predictions created per second
_CREATE = re.compile(r"v1/models/(?P<model>[\w.-]+/[\w.-]+)/predictions")
_GET = re.compile(r"v1/predictions/(?P<id>[\w-]+)")
_CANCEL = re.compile(r"v1/predictions/(?P<id>[\w-]+)/cancel")
_STATES = {"queued": "starting", "running": "processing"}
_FAILED = json_reply(500, {"reason": "the prediction failed"}, outcome="prediction_failed")
_CANCELLED = json_reply(500, {"reason": ""}, outcome="canceled")
_ABORTED = json_reply(500, {"reason": ""}, outcome="aborted")
_PREFER = re.compile(r"\bwait(?:=(\d{1,2}))?")
_LONGEST_WAIT = 60
_DURATION = re.compile(r"(\d{1,5})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def _problem(status: int, title: str, detail: str, outcome: str, **more: Any) -> Reply:
    return json_reply(status, {"title": title, "detail": detail, "status": status, **more}, outcome=outcome)


def _named(status: int, title: str, detail: str, outcome: str) -> Callable[[Trouble], Reply]:
    return lambda _trouble: _problem(status, title, detail, outcome)


def _reduced(account: Account | None) -> str:
    """An account that may do less than usual is told so."""
    bucket = account.bucket if account else None
    if bucket is None or bucket.rate >= _USUAL_RATE:
        return ""
    return (
        f" Your rate limit for creating predictions is reduced to {round(bucket.rate * 60)} requests per minute with a"
        f" burst of {bucket.burst} requests while you have less than $5.0 in credit."
    )


def _throttled(trouble: Trouble) -> Reply:
    seconds = max(1, round(trouble.wait))
    detail = f"Request was throttled.{_reduced(trouble.account)} Your rate limit resets in ~{seconds}s."
    return json_reply(429, {"detail": detail, "status": 429, "retry_after": seconds}, outcome="rate_limited")


def _refused(name: str) -> Refused:
    return Refused(ERRORS[name](Trouble()))


ERRORS: NamedErrors = {
    "bad_key": _named(401, "Unauthenticated", "You did not pass a valid authentication token", "bad_key"),
    "permission_denied": _named(403, "Forbidden", "You do not have permission to do this", "permission_denied"),
    "quota_exhausted": _named(402, "Insufficient credit", "You have insufficient credit", "quota_exhausted"),
    "rate_limited": _throttled,
    "concurrency_limited": _throttled,
    "content_rejected": _named(422, "Input validation failed", "The prompt was not accepted", "content_rejected"),
    "invalid_request": _named(422, "Input validation failed", "- input: is not valid", "invalid_request"),
    "not_found": _named(404, "Not found", "The requested resource could not be found.", "not_found"),
    "server_error": _named(500, "Internal server error", "Something went wrong", "server_error"),
    "overloaded": _named(503, "Service unavailable", "The service is overloaded", "overloaded"),
    "timeout": _named(504, "Gateway timeout", "The upstream did not answer", "timeout"),
}


@dataclass(frozen=True)
class Order:
    """What is asked of a model: the text, the price, and the file that comes of it, made in a run of that name."""

    text: str
    units: float
    cost: float
    run: str
    file: str


def _clip(given: dict[str, Any], price: float) -> Order:
    """A clip. Raises Refused."""
    prompt, seconds = given.get("prompt"), given.get("duration", 5)
    if not isinstance(prompt, str) or seconds not in (5, 10):
        raise _refused("invalid_request")
    file = clips.file_name(secrets.token_hex(8), seconds, catalogue.seed_of(prompt), "mp4")
    return Order(prompt, seconds, seconds * price, "prediction_run", file)


def _speech(given: dict[str, Any], price: float) -> Order:
    """Speech, in the rates that there are golden bytes of. Raises Refused."""
    text, codec, rate = given.get("text"), given.get("audio_format", "mp3"), given.get("sample_rate", 32000)
    voice, speed = given.get("voice_id", "Wise_Woman"), given.get("speed", 1)
    fits = isinstance(text, str) and 0 < len(text) <= _TEXT_CHARACTERS and isinstance(voice, str)
    known = codec in ("mp3", "wav", "flac", "pcm") and rate in _RATES
    if not isinstance(text, str) or not fits or not known or not 0.5 <= speed <= 2:  # noqa: PLR2004 - the model's
        raise _refused("invalid_request")
    if codec == "flac" or (codec == "mp3" and rate not in _GOLDEN_MP3_RATES):
        rate = _FLAC_RATE
    seconds = tone.ticks_for(text) * tone.TICK_MS / 1000
    file = clips.file_name(secrets.token_hex(8), seconds, catalogue.seed_of(text), codec, rate)
    return Order(text, len(text), len(text) * price, "speech_run", file)


_ORDERS: dict[str, Callable[[dict[str, Any], float], Order]] = {
    **dict.fromkeys(_CLIPS, _clip),
    **dict.fromkeys(_SPEECH, _speech),
}


def _create(call: Call) -> Reply:
    """A prediction. `Prefer: wait` holds the answer until it is over, or some seconds long; `Cancel-After` ends it."""
    model, given = call.path["model"], call.json.get("input")
    if model not in _PRICES:
        raise _refused("not_found")
    if not isinstance(given, dict):
        raise _refused("invalid_request")
    order = _ORDERS[model](given, _PRICES[model])
    world, account = call.world, call.account
    wait = account.take_request(world.clock())
    if wait:
        raise Refused(_throttled(Trouble(account, wait)))
    if not account.can_afford(order.cost):
        raise _refused("quota_exhausted")
    purchase = Purchase(order.text, order.units, order.cost)
    deadline = _deadline(call.headers.get("cancel-after", ""))
    job = Job(
        id=secrets.token_hex(13),
        kind=model,
        account=account,
        work=partial(_run, call, order, deadline),
        late=_ABORTED,
        refund=partial(world.refund, call, purchase),
        start_within=deadline,
        key_id=call.holder.key_id,
    )
    reply = json_reply(201, _described(job, call.origin), outcome="accepted")
    held = _PREFER.search(call.headers.get("prefer", ""))
    stream = partial(_held, job, call.origin, float(held[1] or _LONGEST_WAIT)) if held else None
    return replace(reply, purchase=purchase, commit=partial(world.jobs.submit, job), stream=stream)


def _deadline(header: str) -> float | None:
    found = _DURATION.fullmatch(header)
    return int(found[1]) * _SECONDS[found[2]] if found else None


async def _held(job: Job, origin: str, seconds: float) -> AsyncIterator[bytes]:
    """The prediction as it is at its end, or after so many seconds."""
    if job.task is not None:
        await asyncio.wait({job.task}, timeout=seconds)
    yield json.dumps(_described(job, origin)).encode()


async def _run(call: Call, order: Order, deadline: float | None) -> Reply:
    try:
        return await asyncio.wait_for(_work(call, order), deadline)
    except TimeoutError:
        return _CANCELLED


async def _work(call: Call, order: Order) -> Reply:
    """The work itself. A fault rule for the run delays it, lets it fail, or (`timeout`) never end."""
    world = call.world
    rule, delay = world.faults.choose(Target("replicate", order.run, call.holder, call.body), world.clock())
    await asyncio.sleep(delay + world.latency.draw("replicate", order.run))
    if rule is not None and rule.kind == "timeout":
        await asyncio.Event().wait()
    if rule is not None:
        reason = {"reason": rule.error or "the prediction failed"}
        return replace(_FAILED, body=json_reply(500, reason).body)
    return json_reply(200, {"output": f"{call.origin}/replicatemedia/{order.file}"})


def _described(job: Job, origin: str) -> dict[str, Any]:
    get = f"{origin}/replicate/v1/predictions/{job.id}"
    told: dict[str, Any] = {
        "id": job.id,
        "model": job.kind,
        "version": "hidden",
        "input": {},
        "output": None,
        "logs": "",
        "error": None,
        "status": _STATES.get(job.state, "succeeded"),
        "data_removed": False,
        "created_at": "2026-11-23T00:00:00Z",
        "urls": {"get": get, "cancel": f"{get}/cancel"},
    }
    if job.state in _STATES:
        return told
    result = json.loads(job.result.body)
    if has_failed(job.result):
        status = job.result.outcome if job.result.outcome in ("canceled", "aborted") else "failed"
        return {**told, "status": status, "error": result["reason"] or None}
    return {**told, **result, "metrics": {"predict_time": max(0.0, job.ended - job.started)}}


def _of(call: Call) -> Job:
    """The prediction that the path names. They belong to an account: others don't see them."""
    job = call.world.jobs.find(call.path["id"])
    if job is None or job.account is not call.account:
        raise _refused("not_found")
    call.world.stats.foreign_polls += job.key_id != call.holder.key_id
    return job


def _get(call: Call) -> Reply:
    return json_reply(HTTPStatus.OK, _described(_of(call), call.origin))


def _cancel(call: Call) -> Reply:
    job = _of(call)
    stopped = call.world.jobs.cancel(job, _CANCELLED)
    return json_reply(200, _described(job, call.origin), outcome="cancelled" if stopped else "too_late")


def _account(_call: Call) -> Reply:
    return json_reply(200, {"type": "organization", "username": "acme", "name": "Acme", "github_url": None})


def _media(call: Call) -> Reply:
    refuse_credentials(call)
    return clips.serve(call)


class Replicate:
    """Two hosts of Replicate as two paths."""

    name = "replicate"
    base_urls = {"REPLICATE_BASE_URL": "/replicate"}  # noqa: RUF012 - the protocol reads it, nobody writes
    errors: NamedErrors = ERRORS
    operations = (
        Operation("submit", "replicate", "POST", _CREATE, _create, paid=True),
        Operation("poll", "replicate", "GET", _GET, _get),
        Operation("cancel", "replicate", "POST", _CANCEL, _cancel),
        Operation("account", "replicate", "GET", re.compile("v1/account"), _account),
        Operation("media", "replicatemedia", "GET", clips.FILE, _media, public=True),
    )

    def credential(self, headers: Headers) -> str | None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return key if scheme == "Bearer" else None

    def unknown_path(self, _path: str) -> Reply:
        return ERRORS["not_found"](Trouble())

    def headers(self, _call: Call, _now: float) -> dict[str, str]:
        return {}


SIMULATED = Replicate()
