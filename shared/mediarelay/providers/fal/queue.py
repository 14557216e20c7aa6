"""fal's queue protocol, whatever the model: submit, status, result, cancel.

The URLs that a submit returns leave out the model's sub-path, so they are used as returned; of each only the path is
kept. A failed job is `COMPLETED` with an error; there is no other word for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, urlsplit

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
from mediarelay.providers.error_table import Row, Signals, classify
from mediarelay.providers.fal.errors import FAL_ERRORS, fal_signals
from mediarelay.providers.json_reading import json_object, mapping, text
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure, Outcome

_WAITING: Final = frozenset({"IN_QUEUE", "IN_PROGRESS"})
# As an answer to a question: a 429 is about our asking, not about the account's concurrency.
_POLL_ERRORS: Final = (
    Row(Outcome.THROTTLED, statuses=(429,), named="rate_limited"),
    *(row for row in FAL_ERRORS if row.outcome not in (Outcome.MODEL_GONE, Outcome.THROTTLED)),
)


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
            return JobFailed(_failed(body, reply)) if body.get("error") else Ready()
        return _unanswered(reply)

    def result_request(self, task: Task) -> HttpRequest:
        """GET the output of the model."""
        return _get(task["response_path"])

    def parse_result(self, reply: HttpReply, call: ProviderCall) -> Finished | JobFailed | Absent | Failure:
        """The output, or the model's own refusal in its place."""
        body = json_object(reply.body)
        if reply.status == 200:  # noqa: PLR2004 - OK
            urls = [url for field in self.output_fields if (url := text(mapping(body.get(field)).get("url")))]
            if urls:
                return Finished((RemoteMedia(urls[0]),), self.formats, self.estimate_usd(call))
            return classify(_POLL_ERRORS, fal_signals(reply), reply)
        if reply.status == 422:  # noqa: PLR2004 - the model refused its input
            return JobFailed(classify(FAL_ERRORS, fal_signals(reply), reply))
        return _unanswered(reply)

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
    usual = f"/{application}/requests/{quote(request_id, safe='')}"
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
    return Absent() if reply.status == 404 else classify(_POLL_ERRORS, fal_signals(reply), reply)  # noqa: PLR2004


def _failed(body: Mapping[str, Any], reply: HttpReply) -> Failure:
    """What `error_type` and the text say; what they do not say is the provider's fault."""
    kind, reason = text(body.get("error_type")), text(body.get("error")) or "the job failed without a reason"
    failure = classify(FAL_ERRORS, Signals(codes=(kind,) if kind else (), message=reason, body=body), reply)
    policy = "content" in reason.lower() and ("flagged" in reason.lower() or "policy" in reason.lower())
    outcome = Outcome.CONTENT_REJECTED if policy else failure.outcome
    return Failure(outcome, kind or "job_failed", reason[:300], reply.status)
