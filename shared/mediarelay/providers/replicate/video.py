"""Replicate: clips of official models. A failed prediction is a 200 or 201 of status `failed`."""

from __future__ import annotations

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
from mediarelay.providers.input_checks import clip, merged, reserved_option, too_long, wrong_length
from mediarelay.providers.json_reading import items, json_object, text
from mediarelay.providers.replicate.errors import REPLICATE_ERRORS, replicate_signals
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.vocabulary.refusal_words import job_failed

_RESERVED: Final = {
    "model": "set model.replicate-video instead",
    "prompt": "set input.prompt instead",
    "duration": "set input.duration instead",
    "start_image": "set input.image_url instead",
}
_WORKING: Final = frozenset({"starting", "processing"})
_OVER: Final = frozenset({"failed", "canceled", "aborted"})
# Codes at the end of a reason: the model's filter; too many jobs at once.
_BY_CODE: Final[Mapping[str, Outcome]] = {"e005": Outcome.CONTENT_REJECTED, "e003": Outcome.OVERLOADED}
_REASON_CODE: Final = re.compile(r"\((?:code: )?([a-z]{1,2}[0-9]*)\)")


class ReplicateVideo:
    """POST /v1/models/{owner}/{name}/predictions. There is no field for `input.mode`: the model is the mode."""

    name: Final = "replicate-video"
    vendor: Final = "replicate"
    kind: Final = Kind.VIDEO
    host: Final = "replicate"
    sign = staticmethod(bearer_key)
    media_hosts: Final = ("replicate.delivery",)
    result_seconds: Final = 3600.0
    stale_credential_codes: Final[frozenset[str]] = frozenset()
    has_webhooks: Final = False  # they are signed with a secret of the account's, which would be one more to keep

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the length of clip and prompt, and options that would bypass them."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes video only"
        asked = clip(call)
        return (
            reserved_option(call.options, _RESERVED)
            or too_long(self.name, "input.prompt", asked.prompt, call.model.limits.get("prompt_characters"))
            or wrong_length(self.name, asked.duration, call)
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """Options are further inputs of the model."""
        asked = clip(call)
        given: dict[str, Any] = {"prompt": asked.prompt, "duration": asked.duration}
        # The picture decides the shape of a clip that begins with one.
        given |= {"start_image": asked.image_url} if asked.image_url else {"aspect_ratio": asked.aspect_ratio}
        path = f"/v1/models/{call.model.id}/predictions"
        return HttpRequest("POST", path, {"input": merged(given, call.options)}, read_timeout_seconds=30.0)

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the second."""
        return clip(call).duration * call.model.prices.get("per_second", 0.0)

    def with_webhook(self, request: HttpRequest, url: str) -> HttpRequest:
        """None is asked for."""
        del url
        return request

    def parse_submit(self, reply: HttpReply, call: ProviderCall) -> Accepted | Failure:
        """A refusal by the platform names itself; an answer that does not may come from a gateway, after the fact."""
        del call
        prediction = text(json_object(reply.body).get("id"))
        if 200 <= reply.status < 300:  # noqa: PLR2004 - the 2xx range
            if prediction:
                return Accepted({"path": f"/v1/predictions/{quote(prediction, safe='')}"})
            return Failure(Outcome.TIMEOUT_SENT, "unclear_answer", "success without an id", reply.status)
        signals = replicate_signals(reply)
        if reply.status >= 500 and not signals.type:  # noqa: PLR2004 - the 5xx range
            return Failure(Outcome.TIMEOUT_SENT, f"http_{reply.status}", "no answer of the platform's", reply.status)
        return classify(REPLICATE_ERRORS, signals, reply)

    def poll_request(self, task: Task) -> HttpRequest:
        """GET the prediction."""
        return HttpRequest("GET", task["path"], {}, read_timeout_seconds=15.0)

    def parse_poll(self, reply: HttpReply, call: ProviderCall) -> JobAnswer:
        """The result comes with the state. One whose data were removed is as good as gone."""
        body = json_object(reply.body)
        if reply.status != 200:  # noqa: PLR2004 - OK
            return _unanswered(reply)
        match text(body.get("status")):
            case status if status in _WORKING:
                return Running()
            case status if status in _OVER:
                return JobFailed(_failed(status, text(body.get("error"))))
            case "succeeded":
                return self._succeeded(body, call)
            case _:
                return unanswered(REPLICATE_ERRORS, replicate_signals(reply), reply)

    def _succeeded(self, body: Mapping[str, Any], call: ProviderCall) -> Finished | JobFailed | Absent:
        """Paid, whatever is there."""
        if urls := _urls(body.get("output")):
            return Finished(tuple(map(RemoteMedia, urls)), ("mp4",), self.estimate_usd(call))
        if body.get("data_removed") is True:
            return Absent()
        return JobFailed(Failure(Outcome.UNUSABLE_DELIVERY, "no_media", "the prediction holds no media", 200))

    def result_request(self, task: Task) -> HttpRequest:
        """Never needed: the poll's answer holds the result. It is the same question."""
        return self.poll_request(task)

    def parse_result(self, reply: HttpReply, call: ProviderCall) -> Finished | JobFailed | Absent | Failure:
        """The same answer."""
        answer = self.parse_poll(reply, call)
        if isinstance(answer, Finished | JobFailed | Absent | Failure):
            return answer
        return Failure(Outcome.PROVIDER_FAULT, "not_finished", "the prediction is still running", reply.status)

    def lookup_request(self, call: ProviderCall) -> HttpRequest | None:
        """The vendor gives its ids only in its answers."""
        del call
        return None

    def parse_lookup(self, reply: HttpReply, call: ProviderCall) -> Accepted | Absent | Failure:
        """Never asked."""
        del call
        return _unanswered(reply)

    def cancel_request(self, task: Task) -> HttpRequest | None:
        """POST."""
        return HttpRequest("POST", f"{task['path']}/cancel", {}, read_timeout_seconds=15.0)


def _unanswered(reply: HttpReply) -> Absent | Failure:
    if reply.status == 404:  # noqa: PLR2004 - no such prediction
        return Absent()
    return unanswered(REPLICATE_ERRORS, replicate_signals(reply), reply)


def _failed(status: str, reason: str) -> Failure:
    codes = _REASON_CODE.findall(reason.lower())
    outcome = next((_BY_CODE[code] for code in codes if code in _BY_CODE), job_failed(reason))
    return Failure(outcome, f"prediction_{status}", reason[:300] or f"the prediction was {status} without a reason")


def _urls(output: object) -> list[str]:
    """One URL, or a list of them."""
    return [url for each in (items(output) or [output]) if (url := text(each)).startswith(("https://", "http://"))]
