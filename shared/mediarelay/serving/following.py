"""What a vendor only accepted is followed up by the worker that bought it: by its id, until it is over.

Nothing is bought by asking. A job that is not over when the worker has to end is stopped at its vendor; where nobody
can tell what became of it, it counts as paid, and nothing is bought in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.api import Delivery, Finished, FollowedProvider, JobAnswer, JobFailed, ProviderCall, Task
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import Unreachable
from mediarelay.vocabulary.outcome import Failure, Outcome

POLL_SECONDS: Final = 1.0
# However long a vendor asks us to wait before the next question: the job goes on all the same.
LONGEST_PAUSE_SECONDS: Final = 5.0
# Kept for stopping the job, a last look and the download.
STOP_SECONDS: Final = 6.0


def followed(
    provider: FollowedProvider,
    call: ProviderCall,
    task: Task,
    *,
    ask: Callable[[HttpRequest], HttpReply],
    until: float,
    clock: Clock,
) -> Delivery | Failure:
    """Ask how the job is doing until it is over, and stop it where that would take too long.

    Args:
        provider: Who accepted it.
        call: What was asked for.
        task: The vendor's name of the job.
        ask: Makes one call with the key that bought it; raises `Unreachable`.
        until: When the result has to be there, unix seconds.
        clock: The worker's.
    """
    pause = POLL_SECONDS
    while clock.now() + pause < until - STOP_SECONDS:
        clock.sleep(pause)
        answer = _asked(provider, call, provider.poll_request(task), ask)
        if isinstance(answer, Finished | JobFailed):
            return _end(answer)
        wanted = answer.wait_seconds if isinstance(answer, Failure) else None
        pause = min(max(POLL_SECONDS, wanted or 0.0), LONGEST_PAUSE_SECONDS)
    for request in (provider.cancel_request(task), provider.poll_request(task)):
        answer = _asked(provider, call, request, ask)
        if isinstance(answer, Finished | JobFailed):
            return _end(answer)
    lost = Failure(Outcome.TIMEOUT_SENT, "still_running", "it was accepted, and what became of it is not known", 202)
    return replace(lost, cost_usd=provider.estimate_usd(call))


def _asked(
    provider: FollowedProvider, call: ProviderCall, request: HttpRequest, ask: Callable[[HttpRequest], HttpReply]
) -> JobAnswer:
    """A question that fails says nothing of the job."""
    try:
        return provider.parse_poll(ask(request), call)
    except Unreachable as error:
        return Failure(Outcome.TIMEOUT_SENT, error.code, error.reason)


def _end(answer: Finished | JobFailed) -> Delivery | Failure:
    if isinstance(answer, JobFailed):
        return answer.failure
    return Delivery(answer.media, answer.formats[0], answer.cost_usd)
