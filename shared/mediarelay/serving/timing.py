"""When the words of a speech are heard: learned with it, or asked for in a further call, and put into files beside it.

The speech is paid for: whatever goes wrong here, it is delivered, without the times.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from typing import Final

from mediarelay.audio.times import Span, grouped, written
from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.api import Delivery, ProviderCall, Timed, TimedProvider
from mediarelay.providers.input_checks import speech
from mediarelay.results.result_store import SpooledMedia
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import Unreachable
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.outcome import Failure, Outcome

TRIES: Final = 3
PAUSE_SECONDS: Final = 0.5
# Nothing was charged: the same key may ask again.
_AGAIN: Final = frozenset({Outcome.THROTTLED, Outcome.OVERLOADED})


@frozen
class Times:
    """What came of asking for them.

    Attributes:
        files: To be stored beside the speech.
        cost_usd: What it cost to learn the times.
        failure: Why there are no files.
    """

    files: Sequence[SpooledMedia] = ()
    cost_usd: float = 0.0
    failure: Failure | None = None


def timed(
    provider: TimedProvider,
    call: ProviderCall,
    delivery: Delivery,
    *,
    ask: Callable[[HttpRequest], HttpReply],
    until: float,
    clock: Clock,
) -> Times:
    """Learn the times of a delivered speech.

    Args:
        provider: Who spoke.
        call: What was asked for.
        delivery: The speech.
        ask: Makes one call with the key that bought the speech; raises `Unreachable`.
        until: No further call begins after this, unix seconds.
        clock: The worker's.
    """
    request = provider.times_request(call)
    if request is not None:
        learned = _asked(provider, call, request, ask, until, clock)
    elif delivery.times is None:
        learned = Failure(Outcome.UNUSABLE_DELIVERY, "no_times")
    else:
        learned = Timed(delivery.times, 0.0)
    if isinstance(learned, Failure):
        return Times(cost_usd=learned.cost_usd, failure=learned)
    return Times(_files(learned.times, str(speech(call).timestamps)), learned.cost_usd)


def _asked(
    provider: TimedProvider,
    call: ProviderCall,
    request: HttpRequest,
    ask: Callable[[HttpRequest], HttpReply],
    until: float,
    clock: Clock,
) -> Timed | Failure:
    answer: Timed | Failure = Failure(Outcome.THROTTLED, "no_time_left")
    for attempt in range(TRIES):
        if clock.now() >= until:
            break
        try:
            answer = provider.parse_times(ask(request), call)
        except Unreachable as error:
            # What was sent was perhaps answered, and is charged.
            return Failure(
                Outcome.TIMEOUT_SENT,
                error.code,
                error.reason,
                cost_usd=provider.times_usd(call) if error.sent else 0.0,
            )
        if isinstance(answer, Timed) or answer.outcome not in _AGAIN:
            break
        clock.sleep(min(PAUSE_SECONDS * 2.0**attempt, max(0.0, until - clock.now())))
    return answer


def _files(times: Sequence[Span], unit: str) -> list[SpooledMedia]:
    return [
        SpooledMedia(io.BytesIO(data), format_, len(data), hashlib.sha256(data).hexdigest())
        for format_, data in written(grouped(times, unit), unit).items()
    ]
