"""What all predictions have in common: how one is made, its states, its end. A failed one is a 200 or 201."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

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
from mediarelay.providers.error_table import unanswered
from mediarelay.providers.json_reading import items, json_object, path_part, text
from mediarelay.providers.replicate.errors import REPLICATE_ERRORS, replicate_failure, replicate_signals
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.vocabulary.refusal_words import job_failed

_WORKING: Final = frozenset({"starting", "processing"})
_OVER: Final = frozenset({"failed", "canceled", "aborted"})
# Codes at the end of a reason: the model's filter; too many jobs at once.
_BY_CODE: Final[Mapping[str, Outcome]] = {"e005": Outcome.CONTENT_REJECTED, "e003": Outcome.OVERLOADED}
_REASON_CODE: Final = re.compile(r"\((?:code: )?([a-z]{1,2}[0-9]*)\)")


class Predictions:
    """POST /v1/models/{owner}/{name}/predictions, then GET /v1/predictions/{id}. A subclass says what is made."""

    vendor: Final = "replicate"
    host: Final = "replicate"
    sign = staticmethod(bearer_key)

    def made_as(self, call: ProviderCall) -> tuple[str, ...]:
        """Which formats the result may have."""
        raise NotImplementedError

    def estimate_usd(self, call: ProviderCall) -> float:
        """Estimate the price: the vendor sends none."""
        raise NotImplementedError

    def making(self, call: ProviderCall, given: Mapping[str, Any]) -> HttpRequest:
        """Returns the call that makes a prediction of these inputs."""
        path = f"/v1/models/{call.model.id}/predictions"
        return HttpRequest("POST", path, {"input": given}, read_timeout_seconds=30.0)

    def made(self, reply: HttpReply) -> Accepted | Failure:
        """A refusal by the platform names itself; an answer that does not may come from a gateway, after the fact."""
        prediction = text(json_object(reply.body).get("id"))
        if 200 <= reply.status < 300:  # noqa: PLR2004 - the 2xx range
            if prediction:
                return Accepted({"path": f"/v1/predictions/{path_part(prediction)}"})
            return Failure(Outcome.TIMEOUT_SENT, "unclear_answer", "success without an id", reply.status)
        if reply.status >= 500 and not replicate_signals(reply).type:  # noqa: PLR2004 - the 5xx range
            return Failure(Outcome.TIMEOUT_SENT, f"http_{reply.status}", "no answer of the platform's", reply.status)
        return replicate_failure(reply)

    def poll_request(self, task: Task) -> HttpRequest:
        """GET the prediction."""
        return HttpRequest("GET", task["path"], {}, read_timeout_seconds=15.0)

    def parse_poll(self, reply: HttpReply, call: ProviderCall) -> JobAnswer:
        """The result comes with the state. One whose data were removed is as good as gone."""
        if reply.status == 404:  # noqa: PLR2004 - no such prediction
            return Absent()
        state = self.state(json_object(reply.body), call) if reply.status == 200 else None  # noqa: PLR2004 - OK
        return state or unanswered(REPLICATE_ERRORS, replicate_signals(reply), reply)

    def cancel_request(self, task: Task) -> HttpRequest:
        """POST; answered with the prediction."""
        return HttpRequest("POST", f"{task['path']}/cancel", {}, read_timeout_seconds=15.0)

    def state(
        self, prediction: Mapping[str, Any], call: ProviderCall
    ) -> Running | Finished | JobFailed | Absent | None:
        """Returns how a prediction is doing; None for a state that is not known."""
        match text(prediction.get("status")):
            case status if status in _WORKING:
                return Running()
            case status if status in _OVER:
                return JobFailed(self._failed(status, text(prediction.get("error")), call))
            case "succeeded":
                return self._succeeded(prediction, call)
            case _:
                return None

    def _succeeded(self, prediction: Mapping[str, Any], call: ProviderCall) -> Finished | JobFailed | Absent:
        """Paid, whatever is there."""
        if urls := _urls(prediction.get("output")):
            return Finished(tuple(map(RemoteMedia, urls)), self.made_as(call), self.estimate_usd(call))
        if prediction.get("data_removed") is True:
            return Absent()
        return JobFailed(Failure(Outcome.UNUSABLE_DELIVERY, "no_media", "the prediction holds no media", 200))

    def _failed(self, status: str, reason: str, call: ProviderCall) -> Failure:
        """One that was stopped while it ran is charged for (replicate.com/changelog, 2025-10-16)."""
        codes = _REASON_CODE.findall(reason.lower())
        outcome = next((_BY_CODE[code] for code in codes if code in _BY_CODE), job_failed(reason))
        cost = self.estimate_usd(call) if status == "canceled" else 0.0
        words = reason[:300] or f"the prediction was {status} without a reason"
        return Failure(outcome, f"prediction_{status}", words, cost_usd=cost)


def _urls(output: object) -> list[str]:
    """One URL, or a list of them."""
    return [url for each in (items(output) or [output]) if (url := text(each)).startswith(("https://", "http://"))]
