"""Kling, direct: clips from the classic generation of its API, which says "succeed" where others say "succeeded"."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.api import (
    Absent,
    Accepted,
    Finished,
    JobAnswer,
    JobFailed,
    ProviderCall,
    RemoteMedia,
    Running,
    Task,
)
from mediarelay.providers.credentials import bearer_key
from mediarelay.providers.error_table import classify, unanswered
from mediarelay.providers.input_checks import clip, merged, too_long, wrong_length
from mediarelay.providers.json_reading import count, items, json_object, mapping, path_part, text
from mediarelay.providers.kling.errors import KLING_ERRORS, KLING_POLL_ERRORS, NOT_FOUND, STALE_TOKEN, kling_signals
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.vocabulary.refusal_words import job_failed

TOKEN_SECONDS: Final = 1800
TOKEN_BACKDATED_SECONDS: Final = 5

_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9_.#-]+")
_TEXT: Final = "/v1/videos/text2video"
_IMAGE: Final = "/v1/videos/image2video"


class KlingVideo:
    """POST /v1/videos/text2video, or image2video for a request with a first picture."""

    name: Final = "kling-video"
    vendor: Final = "kling"
    kind: Final = Kind.VIDEO
    host: Final = "kling"
    media_hosts: Final = ("klingai.com", "kling.ai", "kechuangai.com")
    result_seconds: Final = 30 * 24 * 3600.0
    stale_credential_codes: Final = STALE_TOKEN
    has_webhooks: Final = False  # it has callbacks, but does not sign them
    charges_stopped: Final = False  # nothing can be stopped

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the length of clip and prompt."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes video only"
        asked = clip(call)
        return too_long(
            self.name, "input.prompt", asked.prompt, call.model.limits.get("prompt_characters")
        ) or wrong_length(self.name, asked.duration, call)

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The job's id goes along as `external_task_id`, unique per account, by which a task can be looked up."""
        asked = clip(call)
        body: dict[str, Any] = {
            "model_name": call.model.id,
            "prompt": asked.prompt,
            "mode": asked.mode,
            "duration": str(asked.duration),
            "external_task_id": _external_id(call),
        }
        # The picture decides the shape of a clip that begins with one.
        body |= {"image": asked.image_url} if asked.image_url else {"aspect_ratio": asked.aspect_ratio}
        return HttpRequest("POST", _path(call), merged(body, call.options), read_timeout_seconds=30.0)

    def sign(self, request: HttpRequest, credential: str, *, now: float) -> HttpRequest:
        """Sign a token for half an hour with an `access:secret` key; send any other key as it is."""
        access, colon, signing = credential.partition(":")
        return bearer_key(request, _signed(access, signing, now) if colon else credential, now=now)

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the second, at the mode's price."""
        asked = clip(call)
        return max(asked.duration * call.model.prices.get(f"{asked.mode}_per_second", 0.0), call.least_usd)

    def with_webhook(self, request: HttpRequest, url: str) -> HttpRequest:
        """There are none."""
        del url
        return request

    def parse_submit(self, reply: HttpReply, call: ProviderCall) -> Accepted | Failure:
        """A success without a task's id may still be a task: it is looked up before anything else is bought."""
        body = json_object(reply.body)
        task_id = text(mapping(body.get("data")).get("task_id"))
        if reply.status == 200 and body.get("code") == 0 and task_id:  # noqa: PLR2004 - OK
            return Accepted({"task_id": task_id, "path": _path(call)})
        signals = kling_signals(reply)
        if 200 <= reply.status < 300 and not signals.codes:  # noqa: PLR2004 - the 2xx range
            return Failure(Outcome.TIMEOUT_SENT, "unclear_answer", "success without a task id", reply.status)
        return classify(KLING_ERRORS, signals, reply)

    def poll_request(self, task: Task) -> HttpRequest:
        """GET the task."""
        return _get(f"{task['path']}/{path_part(task['task_id'])}")

    def parse_poll(self, reply: HttpReply, call: ProviderCall) -> JobAnswer:
        """The result comes with the state."""
        body = json_object(reply.body)
        data = mapping(body.get("data"))
        if reply.status != 200 or body.get("code") != 0:  # noqa: PLR2004 - OK
            signals = kling_signals(reply)
            return Absent() if NOT_FOUND in signals.codes else unanswered(KLING_POLL_ERRORS, signals, reply)
        match data.get("task_status"):
            case "submitted" | "processing":
                return Running()
            case "failed":
                return JobFailed(_failed(text(data.get("task_status_msg"))))
            case "succeed" | "succeeded" if videos := _videos(data):
                return Finished(videos, ("mp4",), self._paid_usd(data, call))
            case "succeed" | "succeeded":
                return JobFailed(
                    Failure(Outcome.UNUSABLE_DELIVERY, "no_media", "the task holds no video", reply.status)
                )
            case _:
                return unanswered(KLING_POLL_ERRORS, kling_signals(reply), reply)

    def result_request(self, task: Task) -> HttpRequest:
        """Never needed: the poll's answer holds the result. It is the same question."""
        return self.poll_request(task)

    def parse_result(self, reply: HttpReply, call: ProviderCall) -> Finished | JobFailed | Absent | Failure:
        """The same answer."""
        answer = self.parse_poll(reply, call)
        if isinstance(answer, Finished | JobFailed | Absent | Failure):
            return answer
        return Failure(Outcome.PROVIDER_FAULT, "not_finished", "the task is still running", reply.status)

    def lookup_request(self, call: ProviderCall) -> HttpRequest:
        """GET the task by our own id for it."""
        return _get(f"{_path(call)}/{quote(_external_id(call), safe='')}")

    def parse_lookup(self, reply: HttpReply, call: ProviderCall) -> Accepted | Absent | Failure:
        """The task, whatever its state; a poll will tell that."""
        body = json_object(reply.body)
        task_id = text(mapping(body.get("data")).get("task_id"))
        if reply.status == 200 and body.get("code") == 0 and task_id:  # noqa: PLR2004 - OK
            return Accepted({"task_id": task_id, "path": _path(call)})
        signals = kling_signals(reply)
        return Absent() if NOT_FOUND in signals.codes else unanswered(KLING_POLL_ERRORS, signals, reply)

    def cancel_request(self, task: Task) -> HttpRequest | None:
        """The vendor documents none."""
        del task
        return None

    def _paid_usd(self, data: Mapping[str, Any], call: ProviderCall) -> float:
        """By the units the vendor says it deducted, else by the second."""
        units = count(data.get("final_unit_deduction"))
        return units * call.model.prices.get("per_unit", 0.0) if units is not None else self.estimate_usd(call)


def _path(call: ProviderCall) -> str:
    return _IMAGE if clip(call).image_url else _TEXT


def _external_id(call: ProviderCall) -> str:
    """Return the id by which Kling knows the job: a plain one, or the digest of one that tells whose job it is."""
    job_id = call.request_id
    return job_id if _PLAIN_ID.fullmatch(job_id) else hashlib.sha256(job_id.encode()).hexdigest()[:32]


def _get(path: str) -> HttpRequest:
    return HttpRequest("GET", path, {}, read_timeout_seconds=15.0)


def _signed(access: str, signing: str, now: float) -> str:
    # Imported here: it brings a cryptography library along where there is one, for which only this key should pay.
    import jwt  # noqa: PLC0415

    claims = {"iss": access, "exp": int(now) + TOKEN_SECONDS, "nbf": int(now) - TOKEN_BACKDATED_SECONDS}
    return jwt.encode(claims, signing, algorithm="HS256", headers={"typ": "JWT"})


def _failed(reason: str) -> Failure:
    return Failure(job_failed(reason), "task_failed", reason[:300] or "the task failed without a reason")


def _videos(data: Mapping[str, Any]) -> tuple[RemoteMedia, ...]:
    entries = map(mapping, items(mapping(data.get("task_result")).get("videos")))
    return tuple(RemoteMedia(url) for entry in entries if (url := text(entry.get("url"))))
