"""fal's queue protocol, whatever the model: submit, status, result, cancel.

The URLs that a submit returns leave out the model's sub-path, so they are used as returned; of each only the path is
kept. A job that failed is `COMPLETED` as well, with an error in the status or without: whatever the result's address
then answers by itself, rather than the network before it, is the end of the job.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.api import (
    Absent,
    Accepted,
    Finished,
    JobAnswer,
    JobFailed,
    ProviderCall,
    Ready,
    RemoteMedia,
    Running,
    Task,
)
from mediarelay.providers.credentials import header_key
from mediarelay.providers.error_table import Row, classify, unanswered
from mediarelay.providers.fal.errors import FAL_ERRORS, fal_signals
from mediarelay.providers.json_reading import items, json_object, mapping, path_part, text
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.vocabulary.refusal_words import job_failed

_WAITING: Final = frozenset({"IN_QUEUE", "IN_PROGRESS"})
# As an answer to a question: a 429 is about our asking, not about the account's concurrency.
_POLL_ERRORS: Final = (
    Row(Outcome.THROTTLED, statuses=(429,), named="rate_limited", certain=False),
    *(row for row in FAL_ERRORS if row.outcome not in (Outcome.MODEL_GONE, Outcome.THROTTLED)),
)


# A key, a path or our pace: such answers say nothing of the job.
_ABOUT_ASKING: Final = frozenset({401, 404, 408, 425, 429})
# Where models put what they made, whichever it is.
_OUTPUTS: Final = ("video", "audio", "audio_file", "images", "image")
_STATUS_IN_WORDS: Final = re.compile(r"status code:? (4\d\d|5\d\d)\b")


class FalJobs:
    """What every model on fal's queue has in common; a subclass names itself, builds the input and finds the output."""

    name: str
    kind: Kind
    output_fields: tuple[str, ...]
    formats: tuple[str, ...]
    vendor: Final = "fal"
    host: Final = "fal-queue"
    sign = staticmethod(header_key("authorization", "Key"))
    media_hosts: Final = ("fal.media",)
    result_seconds: Final = 7 * 24 * 3600.0
    stale_credential_codes: Final[frozenset[str]] = frozenset()
    has_webhooks: Final = True
    charges_stopped: Final = False

    def estimate_usd(self, call: ProviderCall) -> float:
        """The price of one result."""
        raise NotImplementedError

    def with_webhook(self, request: HttpRequest, url: str) -> HttpRequest:
        """A query parameter."""
        return replace(request, params={**request.params, "fal_webhook": url})

    def parse_submit(self, reply: HttpReply, call: ProviderCall) -> Accepted | Failure:
        """A refusal by the platform names its kind; an answer that does not may come from a gateway, after the fact."""
        body = json_object(reply.body)
        request_id = text(body.get("request_id"))
        if 200 <= reply.status < 300:  # noqa: PLR2004 - the 2xx range
            if request_id:
                return Accepted(_task(body, request_id, call.model.id))
            return Failure(Outcome.TIMEOUT_SENT, "unclear_answer", "success without a request id", reply.status)
        signals = fal_signals(reply)
        if reply.status >= 500 and not signals.codes:  # noqa: PLR2004 - the 5xx range
            return Failure(Outcome.TIMEOUT_SENT, f"http_{reply.status}", "no answer of the platform's", reply.status)
        return classify(FAL_ERRORS, signals, reply)

    def poll_request(self, task: Task) -> HttpRequest:
        """GET the status."""
        return _get(task["status_path"])

    def parse_poll(self, reply: HttpReply, call: ProviderCall) -> JobAnswer:
        """202 while it waits or works, 200 when it is complete, well or ill."""
        del call
        body = json_object(reply.body)
        status = text(body.get("status"))
        if 200 <= reply.status < 300 and status in _WAITING:  # noqa: PLR2004 - the 2xx range
            return Running()
        if reply.status == 200 and status == "COMPLETED":  # noqa: PLR2004 - OK
            # "Invalid status code: 422" only points to the result, which says why.
            reason = body.get("error") and not _STATUS_IN_WORDS.search(text(body.get("error")).lower())
            return JobFailed(_failed(body, reply)) if reason else Ready()
        return _unanswered(reply)

    def result_request(self, task: Task) -> HttpRequest:
        """GET the output of the model."""
        return _get(task["response_path"])

    def parse_result(self, reply: HttpReply, call: ProviderCall) -> Finished | JobFailed | Absent | Failure:
        """The output, or the model's own refusal in its place."""
        body = json_object(reply.body)
        done = 200 <= reply.status < 300 and text(body.get("status")) not in _WAITING  # noqa: PLR2004 - the 2xx range
        if done and body:
            urls = [url for field in (*self.output_fields, *_OUTPUTS) if (url := _media_url(body.get(field)))]
            if urls:
                return Finished((RemoteMedia(urls[0]),), self.formats, self.estimate_usd(call))
            return JobFailed(_empty(body, reply))
        unfinished = "still in progress" in fal_signals(reply).message.lower()
        if done or unfinished or reply.status in _ABOUT_ASKING or not _from_fal(reply):
            return _unanswered(reply)
        failure = classify(FAL_ERRORS, fal_signals(reply), reply)
        # Server errors are not billed, so nothing that was made may have been lost here.
        lost = failure.outcome in (Outcome.TIMEOUT_SENT, Outcome.TIMEOUT_UNSENT)
        return JobFailed(replace(failure, outcome=Outcome.PROVIDER_FAULT) if lost else failure)

    def lookup_request(self, call: ProviderCall) -> HttpRequest | None:
        """The vendor gives its ids only in its answers."""
        del call
        return None

    def parse_lookup(self, reply: HttpReply, call: ProviderCall) -> Accepted | Absent | Failure:
        """Never asked."""
        del call
        return _unanswered(reply)

    def cancel_request(self, task: Task) -> HttpRequest | None:
        """PUT; a job that has begun may run on."""
        return HttpRequest("PUT", task["cancel_path"], {}, read_timeout_seconds=15.0)


def submission(call: ProviderCall, body: Mapping[str, Any]) -> HttpRequest:
    """POST /{model}."""
    return HttpRequest("POST", f"/{call.model.id}", body, read_timeout_seconds=30.0)


def _get(path: str) -> HttpRequest:
    return HttpRequest("GET", path, {}, read_timeout_seconds=15.0)


def _task(body: Mapping[str, Any], request_id: str, model: str) -> Task:
    application = "/".join(model.split("/")[:2])
    usual = f"/{application}/requests/{path_part(request_id)}"
    return {
        "request_id": request_id,
        "status_path": _path(body.get("status_url")) or f"{usual}/status",
        "response_path": _path(body.get("response_url")) or usual,
        "cancel_path": _path(body.get("cancel_url")) or f"{usual}/cancel",
    }


def _path(url: object) -> str:
    try:
        return urlsplit(text(url)).path
    except ValueError:
        return ""


def _unanswered(reply: HttpReply) -> Absent | Failure:
    return Absent() if reply.status == 404 else unanswered(_POLL_ERRORS, fal_signals(reply), reply)  # noqa: PLR2004 - no such job


def _from_fal(reply: HttpReply) -> bool:
    """Whether fal itself answers for the job, not a gateway before it."""
    body = json_object(reply.body)
    return "x-fal-request-id" in reply.headers or bool(body.get("detail") or body.get("error_type"))


def _media_url(output: object) -> str:
    """Where an output lies: it is an object, or the first of a list of them; or the address itself."""
    first = next(iter(items(output)), None) if isinstance(output, list) else output
    return text(mapping(first).get("url")) or text(first)


def _empty(body: Mapping[str, Any], reply: HttpReply) -> Failure:
    """A job that is done and has made nothing: refused where its description says so, else paid in vain."""
    reason = text(body.get("description")) or text(body.get("detail"))
    refused = job_failed(reason) is Outcome.CONTENT_REJECTED
    outcome = Outcome.CONTENT_REJECTED if refused else Outcome.UNUSABLE_DELIVERY
    return Failure(outcome, "no_media", reason[:300] or "the result holds no media", reply.status)


def _failed(body: Mapping[str, Any], reply: HttpReply) -> Failure:
    """What `error_type` and the text say; what they do not say is the provider's fault."""
    kind, reason = text(body.get("error_type")), text(body.get("error")) or "the job failed without a reason"
    known = next((row for row in FAL_ERRORS if kind and kind in row.codes), None)
    outcome = known.outcome if known else job_failed(f"{reason}. {kind.replace('_', ' ')}")
    return Failure(outcome, kind or "job_failed", reason[:300], reply.status)
