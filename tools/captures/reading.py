"""What the product makes of a recorded answer, in the words of the file of captures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.answers import MAX_WAIT_SECONDS
from mediarelay.providers.api import (
    Accepted,
    Capability,
    Delivery,
    FollowedProvider,
    InlineMedia,
    JobAnswer,
    JobFailed,
    JobProvider,
    Provider,
    ProviderCall,
    StreamedBody,
)
from mediarelay.results.result_store import NotWhatWasAsked, spooled
from mediarelay.vocabulary.outcome import Failure, Outcome
from tools.captures.asking import call_of, provider_of
from tools.captures.capture import Capture, Function

# Dates name whole seconds.
_WAIT_TOLERANCE: Final = 1.0


class Verdict(StrEnum):
    """Whether an answer was read as it must be."""

    YES = "yes"
    NO = "no"
    WAITING = "waiting"  # there is no such provider yet


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of a capture.

    Attributes:
        got: In the file's words; what was raised, where something was.
        failure: What the parser said of a failure.
        verdict: Whether that is right.
    """

    got: str
    failure: Failure | None
    verdict: Verdict


def read(capture: Capture) -> Reading:
    """Run a capture through the parser of its provider; never raises."""
    provider = provider_of(capture)
    if provider is None:
        return Reading("-", None, Verdict.WAITING)
    try:
        answer = parsed(capture, provider, call_of(capture, provider))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what came of this line
        return Reading(f"raised:{type(error).__name__}", None, Verdict.NO)
    failure = answer.failure if isinstance(answer, JobFailed) else answer if isinstance(answer, Failure) else None
    got = word(answer)
    right = got in capture.expected and _waits(capture, failure)
    wait = "" if capture.expected_wait is None else f" after {failure.wait_seconds if failure else None}s"
    return Reading(got + wait, failure, Verdict.YES if right else Verdict.NO)


def parsed(capture: Capture, provider: Capability, call: ProviderCall) -> Delivery | Accepted | JobAnswer:
    """What the provider's parser for that question says.

    Raises:
        TypeError: The provider is not asked in this way.
    """
    submits = capture.function is Function.SUBMIT and isinstance(provider, FollowedProvider)
    if isinstance(provider, Provider) and (submits or capture.function is Function.RESPONSE):
        return _response(provider, capture.reply, call)
    if capture.function is Function.POLL and isinstance(provider, JobProvider | FollowedProvider):
        return provider.parse_poll(capture.reply, call)
    if not isinstance(provider, JobProvider):
        raise TypeError(f"{provider.name} has no {capture.function}")
    match capture.function:
        case Function.SUBMIT:
            return provider.parse_submit(capture.reply, call)
        case Function.RESULT:
            return provider.parse_result(capture.reply, call)
        case _:
            return provider.parse_lookup(capture.reply, call)


def word(answer: Delivery | Accepted | JobAnswer) -> str:
    """The answer in the file's words."""
    if isinstance(answer, JobFailed):
        return f"failed:{answer.failure.outcome}"
    if isinstance(answer, Failure):
        return answer.outcome
    return Outcome.DELIVERED if isinstance(answer, Delivery) else type(answer).__name__.lower()


def _response(provider: Provider, reply: HttpReply, call: ProviderCall) -> Delivery | Accepted | Failure:
    """What a worker makes of it: a body that is media is not given to the parser, and whatever is delivered is looked
    at; what lies elsewhere can't be.
    """
    streamed = provider.streams(reply.status, reply.headers)
    answer = provider.parse_response(HttpReply(reply.status, reply.headers, None) if streamed else reply, call)
    if not isinstance(answer, Delivery):
        return answer
    bodies = [
        b"".join(part for part in (media.data, *media.rest) if isinstance(part, bytes))
        if isinstance(media, InlineMedia)
        else reply.body or b""
        for media in answer.media
        if isinstance(media, InlineMedia | StreamedBody)
    ]
    try:
        for body in bodies:
            with spooled([body], answer.format):
                pass
    except NotWhatWasAsked as error:
        return Failure(Outcome.UNUSABLE_DELIVERY, "wrong_media", str(error), reply.status)
    return answer


def _waits(capture: Capture, failure: Failure | None) -> bool:
    """Whether the wait is the one that is asked for; ours end after an hour."""
    wanted = capture.expected_wait
    if wanted is None:
        return True
    got = failure.wait_seconds if failure else None
    return got is not None and math.isclose(got, min(wanted, max(got, MAX_WAIT_SECONDS)), abs_tol=_WAIT_TOLERANCE)
