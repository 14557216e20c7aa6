"""When to ask how a job is doing, and what follows from the answer.

Asking costs three transitions and an invocation; not asking costs the publisher waiting. So the first question comes
when the quickest jobs are done, and each further wait is a fixed share of the time already spent: however long a job
takes, the wait added to it stays below that share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from mediarelay.long_jobs.polling.completion import ENOUGH, quantile
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.outcome import Failure, Follow

# Found in virtual time over the distributions of Kling and Stable Audio (tools/bench/poll_schedule.py).
FIRST_SHARE: Final = 0.25
GROWTH: Final = 0.2
# Before there is a history, the first poll comes a little earlier than the catalogue's figure.
UNLEARNED: Final = 0.8
# Step Functions waits whole seconds.
SHORTEST_SECONDS: Final = 1
# A vendor that cannot be asked is asked again ever more rarely, not more often than a healthy one.
TROUBLE_BASE_SECONDS: Final = 2.0
TROUBLE_CAP_SECONDS: Final = 60.0
# A single 404 may be an index that lags; so many in a row, with their waits, are to be believed.
ABSENCES: Final = 3


def first_wait(durations: Sequence[float], typical_seconds: float) -> int:
    """Return the seconds before the first poll of a job just accepted.

    Args:
        durations: What the newest jobs of this model took, seconds.
        typical_seconds: The catalogue's figure, for as long as there are too few of them.
    """
    enough = len(durations) >= ENOUGH
    expected = quantile(durations, FIRST_SHARE) if enough else UNLEARNED * typical_seconds
    return max(SHORTEST_SECONDS, math.floor(expected))


@frozen
class PollProgress:
    """What a poller remembers of a job. Moments are unix seconds.

    Attributes:
        accepted_at: When the vendor accepted it.
        expires_at: The job's deadline.
        troubles: Polls in a row that could not be answered.
        absences: Polls in a row that the vendor answered with "no such job".
    """

    accepted_at: float
    expires_at: float
    troubles: int = 0
    absences: int = 0


@frozen
class AskAgain:
    """Wait so many whole seconds, then poll."""

    seconds: int


@frozen
class TryNext:
    """The job failed by the provider's fault and will not be charged: try the next provider."""

    failure: Failure


@frozen
class GiveUp:
    """The job failed, and no other provider would change that. `paid`: the vendor may charge for it all the same."""

    failure: Failure
    paid: bool = False


@frozen
class TimeIsUp:
    """The deadline has passed."""


PollDecision = AskAgain | TryNext | GiveUp | TimeIsUp


def while_running(job: PollProgress, *, now: float) -> PollDecision:
    """Decide what follows when the vendor says that the job is running."""
    return _again(job, GROWTH * (now - job.accepted_at), now)


def when_unanswered(job: PollProgress, failure: Failure, *, now: float) -> PollDecision:
    """Decide what follows when a poll failed (`job.troubles` counts it), which says nothing about the paid job."""
    pause = min(TROUBLE_CAP_SECONDS, TROUBLE_BASE_SECONDS * 2.0 ** min(job.troubles, 6))
    return _again(job, max(failure.wait_seconds or 0.0, pause), now)


def when_absent(job: PollProgress, failure: Failure, *, now: float) -> PollDecision:
    """Decide what follows when the vendor knows no such job; `job.absences` counts this answer."""
    if job.absences >= ABSENCES:
        return GiveUp(failure, paid=True)
    return _again(job, TROUBLE_BASE_SECONDS * 2.0 ** min(job.absences, 6), now)


def when_failed(failure: Failure) -> PollDecision:
    """Decide what follows when the vendor says that the job failed."""
    return GiveUp(failure) if failure.outcome.follow is Follow.STOP else TryNext(failure)


def _again(job: PollProgress, pause: float, now: float) -> PollDecision:
    left = job.expires_at - now
    if left <= 0:
        return TimeIsUp()
    # Rounded down: an added second weighs more on a short job than a poll more on a long one. Never past the deadline.
    return AskAgain(max(SHORTEST_SECONDS, math.floor(min(pause, math.ceil(left)))))
