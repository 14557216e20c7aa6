"""When a callback is tried again, and when no more."""

from __future__ import annotations

from typing import Final

from mediarelay.vocabulary.frozen import frozen

# What Svix does (docs.svix.com/retries, 2026-11-28): the first seconds are for a receiver that restarts, the last half
# day for one that nobody looked after over night. The first try is at once, so there are eight, in 28 hours.
DELAYS_SECONDS: Final = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
SPREAD: Final = 0.2
# A receiver that says when is believed, up to this.
ASKED_LIMIT_SECONDS: Final = 3600
# SQS hides a message for twelve hours at most from when it was received (ChangeMessageVisibility, 2026-11-28).
HIDDEN_LIMIT_SECONDS: Final = 12 * 3600 - 120
GONE: Final = 410
_SAYS_WHEN: Final = (429, 503)
# A host that failed so often in a row is left alone for a while: others' callbacks wait behind its timeouts.
FAILURES_TO_REST: Final = 5
REST_SECONDS: Final = 60.0
# What waits for a host that rests comes back the later the older it is: each time spends one of its receives.
REST_PART: Final = 5


@frozen
class Reception:
    """What came of one try; `status` None where no answer came. `retry_after` is the header as it came."""

    status: int | None
    retry_after: str = ""

    @property
    def taken(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 # what HTTP calls a success


def delay_after(tries: int, answer: Reception, spread: float) -> float | None:
    """Return in how many seconds to try again after so many tries; None for no more.

    `spread` is drawn evenly from 0 to 1. A receiver that says when is not called before, and not before its time by
    the schedule: with 503 and a second for an hour, the tries would be over in ten.
    """
    if answer.status == GONE or tries > len(DELAYS_SECONDS):
        return None
    planned = DELAYS_SECONDS[tries - 1] * (1 - SPREAD + 2 * SPREAD * spread)
    return min(max(planned, _asked(answer) * (1 + SPREAD * spread)), HIDDEN_LIMIT_SECONDS)


def _asked(answer: Reception) -> float:
    text = answer.retry_after.strip()
    if answer.status not in _SAYS_WHEN or not (text.isascii() and text.isdecimal()):
        return 0.0  # a date is one of the receiver's clock; the schedule does as well
    return float(min(int(text[:9]), ASKED_LIMIT_SECONDS))


class Rests:
    """Which hosts are left alone for a while. One worker's own view; its threads share it."""

    def __init__(self) -> None:
        self._failures: dict[str, int] = {}
        self._until: dict[str, float] = {}

    def wait(self, host: str, now: float, age: float, spread: float) -> float | None:
        """Return for how many seconds a callback of that age is to wait without a call; None for not at all."""
        if self._until.get(host, 0.0) <= now:
            return None
        return min(max(REST_SECONDS, age / REST_PART) * (1 + SPREAD * spread), HIDDEN_LIMIT_SECONDS)

    def note(self, host: str, now: float, *, taken: bool) -> None:
        """Note what came of a call."""
        if taken:
            self._failures.pop(host, None)
            self._until.pop(host, None)
            return
        failures = self._failures.get(host, 0) + 1
        self._failures[host] = failures
        if failures >= FAILURES_TO_REST:
            self._until[host] = now + REST_SECONDS
