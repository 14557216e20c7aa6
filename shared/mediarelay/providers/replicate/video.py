"""Replicate: clips of official models."""

from __future__ import annotations

from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.api import Absent, Accepted, Finished, JobFailed, ProviderCall, Task
from mediarelay.providers.error_table import unanswered
from mediarelay.providers.input_checks import clip, merged, too_long, wrong_length
from mediarelay.providers.replicate.errors import REPLICATE_ERRORS, replicate_signals
from mediarelay.providers.replicate.predictions import Predictions
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure, Outcome


class ReplicateVideo(Predictions):
    """There is no field for `input.mode`: the model is the mode."""

    name: Final = "replicate-video"
    kind: Final = Kind.VIDEO
    media_hosts: Final = ("replicate.delivery",)
    result_seconds: Final = 3600.0
    stale_credential_codes: Final[frozenset[str]] = frozenset()
    has_webhooks: Final = False  # they are signed with a secret of the account's, which would be one more to keep
    charges_stopped: Final = True  # replicate.com/changelog, 2025-10-16

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the length of clip and prompt."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes video only"
        asked = clip(call)
        return too_long(
            self.name, "input.prompt", asked.prompt, call.model.limits.get("prompt_characters")
        ) or wrong_length(self.name, asked.duration, call)

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """Options are further inputs of the model."""
        asked = clip(call)
        given: dict[str, Any] = {"prompt": asked.prompt, "duration": asked.duration}
        # The picture decides the shape of a clip that begins with one.
        given |= {"start_image": asked.image_url} if asked.image_url else {"aspect_ratio": asked.aspect_ratio}
        return self.making(call, merged(given, call.options))

    def made_as(self, call: ProviderCall) -> tuple[str, ...]:
        """MP4."""
        del call
        return ("mp4",)

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the second."""
        return max(clip(call).duration * call.model.prices.get("per_second", 0.0), call.least_usd)

    def with_webhook(self, request: HttpRequest, url: str) -> HttpRequest:
        """None is asked for."""
        del url
        return request

    def parse_submit(self, reply: HttpReply, call: ProviderCall) -> Accepted | Failure:
        """The id is all that is needed."""
        del call
        return self.made(reply)

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
        signals = replicate_signals(reply)
        return Absent() if reply.status == 404 else unanswered(REPLICATE_ERRORS, signals, reply)  # noqa: PLR2004 - no such job
