"""Kling's classic API: signed tokens, tasks that hold a slot of their account to their end, and its media host."""

import asyncio
import json
import re
import secrets
import time
from dataclasses import replace
from functools import partial
from typing import Any

import jwt

from tools.simulator.media import catalogue, clips
from tools.simulator.state.accounts import AccountBook, KeyHolder
from tools.simulator.state.faults import Target
from tools.simulator.state.jobs import Job
from tools.simulator.vendors.fal.api import refuse_credentials
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Reply, failed, json_reply

from .errors import ERRORS, answer, refused

# US dollars per second, by mode.
_PRICES = {
    "kling-v2-6": {"std": 0.042, "pro": 0.07},
    "kling-v3": {"std": 0.084, "pro": 0.112},
    "kling-v2-5-turbo": {"std": 0.042, "pro": 0.07},
    "kling-v2-1-master": {"std": 0.28, "pro": 0.28},
}
_DOLLARS_PER_UNIT = 0.14
_CALLER = re.compile(r"Bearer (?P<token>\S+)")
_SUBMIT = re.compile(r"v1/videos/(?P<kind>text2video|image2video)")
_POLL = re.compile(r"v1/videos/(?P<kind>\w+2video)/(?P<id>[\w.@#%-]+)")
_STATES = {"queued": "submitted", "running": "processing"}
_FAILED = json_reply(500, {"reason": "the render farm lost a node"}, outcome="task_failed")


def _check(call: Call) -> tuple[str, int]:
    """The mode and the seconds asked for. Raises Refused, or BadBody."""
    body = call.json
    model, mode, seconds = body.get("model_name"), body.get("mode", "std"), body.get("duration", "5")
    lengths = tuple(map(str, range(3, 16))) if model == "kling-v3" else ("5", "10")
    good = isinstance(body.get("prompt"), str) and model in _PRICES and mode in _PRICES[model] and seconds in lengths
    if not good or (call.path["kind"] == "image2video") != ("image" in body):
        raise refused("invalid_request", call.request_id)
    return str(mode), int(seconds)


def _submit(call: Call) -> Reply:
    mode, seconds = _check(call)
    world, account, name = call.world, call.account, call.json.get("external_task_id")
    if name is not None and world.jobs.find_named("kling", account.name, name):
        raise refused("invalid_request", call.request_id)  # unique per account
    if account.take_request(world.clock()):
        raise refused("rate_limited", call.request_id)
    cost = seconds * _PRICES[call.json["model_name"]][mode]
    if not account.can_afford(cost):
        raise refused("quota_exhausted", call.request_id)
    if not account.slots.try_take():
        raise refused("concurrency_limited", call.request_id)
    purchase = Purchase(call.json["prompt"], seconds, cost)
    job = _job(call, purchase, seconds, name)
    reply = answer(call.request_id, {**_described(job), "task_status": "submitted"})
    return replace(reply, outcome="accepted", purchase=purchase, commit=partial(_begin, call, job))


def _begin(call: Call, job: Job) -> None:
    call.world.stats.gauge("kling", call.account.name).change(+1)
    call.world.jobs.submit(job)


def _job(call: Call, purchase: Purchase, seconds: int, name: str | None) -> Job:
    return Job(
        id=str(secrets.randbits(60)),
        kind=call.path["kind"],
        account=call.account,
        work=partial(_run, call, purchase, seconds),
        late=_FAILED,
        refund=partial(call.world.refund, call, purchase),
        on_end=partial(_end, call),
        has_slot=True,
        key_id=call.holder.key_id,
        name=name,
    )


async def _run(call: Call, purchase: Purchase, seconds: int) -> Reply:
    """The work itself. A fault rule for `task_run` delays it, lets it fail, never end (`timeout`), vanish (`reset`)."""
    world = call.world
    rule, delay = world.faults.choose(Target("kling", "task_run", call.holder, call.body), world.clock())
    await asyncio.sleep(delay + world.latency.draw("kling", "task_run"))
    if rule is not None and rule.kind == "timeout":
        await asyncio.Event().wait()
    if rule is not None and rule.kind != "reset":
        return replace(_FAILED, body=json_reply(500, {"reason": rule.error or "generation failed"}).body)
    seed = catalogue.seed_of(purchase.text)
    url = f"{call.origin}/klingmedia/{clips.file_name(secrets.token_hex(8), seconds, seed, 'mp4')}"
    videos = [{"id": secrets.token_hex(8), "url": url, "duration": f"{seconds}.1"}]
    units = round(purchase.cost / _DOLLARS_PER_UNIT, 4)
    done = {"task_result": {"videos": videos}, "final_unit_deduction": str(units)}
    return json_reply(200, done, outcome="vanished" if rule else "ok")


async def _end(call: Call, job: Job) -> None:
    call.world.stats.gauge("kling", call.account.name).change(-1)
    if job.result.outcome == "vanished":
        call.world.jobs.forget(job)


def _described(job: Job) -> dict[str, Any]:
    now = round(time.time() * 1000)
    info = {"external_task_id": job.name} if job.name else {}
    common = {"task_id": job.id, "task_info": info, "created_at": now, "updated_at": now}
    if job.state in _STATES:
        return {**common, "task_status": _STATES[job.state]}
    result = json.loads(job.result.body)
    if failed(job.result):
        return {**common, "task_status": "failed", "task_status_msg": result["reason"]}
    return {**common, "task_status": "succeed", **result}


def _poll(call: Call) -> Reply:
    """By the vendor's id or the caller's own. Tasks belong to an account: others don't see them."""
    jobs, wanted, account = call.world.jobs, call.path["id"], call.account.name
    job = jobs.find(wanted) or jobs.find_named("kling", account, wanted)
    if job is None or job.account.name != account or job.account.vendor != "kling" or job.kind != call.path["kind"]:
        raise refused("not_found", call.request_id)
    call.world.stats.foreign_polls += job.key_id != call.holder.key_id
    return answer(call.request_id, _described(job))


def _media(call: Call) -> Reply:
    refuse_credentials(call)
    return clips.serve(call)


class Kling:
    """Two hosts of Kling as two paths. A request carries a key, or a token signed with an `access:secret` key."""

    name = "kling"
    base_urls = {"KLING_BASE_URL": "/kling"}  # noqa: RUF012 - the protocol reads it, nobody writes
    errors: NamedErrors = ERRORS
    operations = (
        Operation(
            "submit", "kling", "POST", re.compile(r"v1/videos/(?P<kind>text2video|image2video)"), _submit, paid=True
        ),
        Operation("poll", "kling", "GET", _POLL, _poll),
        Operation("media", "klingmedia", "GET", clips.FILE, _media, public=True),
    )

    def credential(self, headers: Headers) -> str | None:
        found = _CALLER.fullmatch(headers.get("authorization", ""))
        return found["token"] if found else None

    def signer(self, headers: Headers, accounts: AccountBook) -> KeyHolder | None:
        token = self.credential(headers)
        if token is None or token.count(".") != 2:  # noqa: PLR2004 - the three parts of a signed token
            return None
        try:
            access = jwt.decode(token, options={"verify_signature": False}).get("iss", "")
            known = accounts.signing(self.name, access)
            if known is None:
                raise refused("bad_key")
            jwt.decode(token, known[1], algorithms=["HS256"], options={"require": ["iss", "exp", "nbf"]})
        except jwt.ExpiredSignatureError:
            raise refused("token_expired") from None
        except jwt.ImmatureSignatureError:
            raise refused("token_early") from None
        except jwt.InvalidTokenError:
            raise refused("bad_signature") from None
        return known[0]

    def unknown_path(self, _path: str) -> Reply:
        return refused("not_found").reply

    def headers(self, _call: Call, _now: float) -> dict[str, str]:
        return {}


SIMULATED = Kling()
