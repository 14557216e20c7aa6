"""From changes of status to the messages that people get: opened, changed, resolved, each once; a digest if it flaps.

Theory of operation
- An `Incident` is part of the health record, written by the same conditional write as the status. Its `notice` is the
  outbox: the record's stream carries it, and whoever publishes it needs no memory of its own.
- A provider that has opened several incidents in half an hour is *flapping*: one message says so, then single changes
  are not reported until the provider was stable for a while; digests come in between, ever more rarely.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Final

from mediarelay.health.judgement import Status
from mediarelay.vocabulary.frozen import frozen

# The fourth incident within half an hour is flapping: outages of a minute that come ten minutes apart are not.
FLAP_WINDOW_SECONDS: Final = 1800.0
FLAP_OPENINGS: Final = 4
# It is stable again when its status did not change for this long.
STILL_SECONDS: Final = 1800.0
FIRST_DIGEST_SECONDS: Final = 3600.0
LONGEST_DIGEST_SECONDS: Final = 6 * 3600.0


# Why an incident ends whose subject is gone.
UNWATCHED: Final = "no longer watched"


class Event(StrEnum):
    """What a message is about."""

    OPENED = "opened"
    CHANGED = "changed"  # an open incident got worse or better
    RESOLVED = "resolved"
    FLAPPING = "flapping"
    DIGEST = "digest"


@frozen
class Notice:
    """One message to send.

    Attributes:
        number: Counts the messages of this provider; the same number is the same message.
        event: What happened.
        incident_id: Which incident.
        status: The status now.
        previous: The status before.
        at: Unix seconds.
        opened_at: When the incident began, unix seconds.
        suppressed: Of flapping and digests: changes of status that were not told one by one since the last message.
    """

    number: int
    event: Event
    incident_id: str
    status: Status
    previous: Status
    at: float
    opened_at: float
    suppressed: int = 0


@frozen
class Incident:
    """What is remembered between two judgements. Moments in unix seconds.

    Attributes:
        status: The status last seen.
        changed_at: When it was.
        id: Of the open incident; None when there is none.
        opened_at: Of the open or the last incident.
        openings: When incidents began, as far as they matter for flapping.
        flapping: Whether single changes are kept quiet.
        suppressed: How many were, since the last message.
        next_digest_at: While flapping.
        digests: How many were sent.
        notice: The newest message; None before the first.
    """

    status: Status = Status.IDLE
    changed_at: float = 0.0
    id: str | None = None
    opened_at: float = 0.0
    openings: tuple[float, ...] = ()
    flapping: bool = False
    suppressed: int = 0
    next_digest_at: float = 0.0
    digests: int = 0
    notice: Notice | None = None

    def next(self, subject: str, status: Status, *, now: float) -> Incident:
        """Return the incident after *subject* was judged as *status*; its notice is a new one if there is news."""
        changed = status.severity != self.status.severity
        moved = replace(self, status=status, changed_at=now if changed else self.changed_at)
        if self.flapping:
            return _while_flapping(moved, self.status, changed=changed, now=now)
        if not changed:
            return moved
        if self.id is None:
            return _opened(moved, subject, self.status, now)
        if not status.troubled:
            return _resolved(moved, self.status, now)
        return _with_notice(moved, Event.CHANGED, self.status, now)

    def unwatched(self, now: float) -> Incident:
        """Return the incident after its subject is gone: what was open is over, flapping or not."""
        moved = replace(self, status=Status.IDLE, changed_at=now, flapping=False, openings=())
        return moved if self.id is None else _resolved(moved, self.status, now)


def _opened(moved: Incident, subject: str, previous: Status, now: float) -> Incident:
    openings = (*(moment for moment in moved.openings if now - moment < FLAP_WINDOW_SECONDS), now)
    opened = replace(moved, id=f"{subject}@{round(now * 1000)}", opened_at=now, openings=openings)
    if len(openings) < FLAP_OPENINGS:
        return _with_notice(opened, Event.OPENED, previous, now)
    flapping = replace(opened, flapping=True, next_digest_at=now + FIRST_DIGEST_SECONDS, digests=0)
    return _with_notice(flapping, Event.FLAPPING, previous, now)


def _while_flapping(moved: Incident, previous: Status, *, changed: bool, now: float) -> Incident:
    quiet = replace(moved, suppressed=moved.suppressed + changed)
    if now - quiet.changed_at >= STILL_SECONDS:
        return _calmed(quiet, previous, now)
    if now < quiet.next_digest_at:
        return quiet
    pause = min(LONGEST_DIGEST_SECONDS, FIRST_DIGEST_SECONDS * 2.0 ** (quiet.digests + 1))
    again = replace(quiet, next_digest_at=now + pause, digests=quiet.digests + 1)
    return _with_notice(again, Event.DIGEST, previous, now)


def _calmed(quiet: Incident, previous: Status, now: float) -> Incident:
    calm = replace(quiet, flapping=False, openings=())
    return _with_notice(calm, Event.CHANGED, previous, now) if calm.status.troubled else _resolved(calm, previous, now)


def _resolved(moved: Incident, previous: Status, now: float) -> Incident:
    return replace(_with_notice(moved, Event.RESOLVED, previous, now), id=None)


def _with_notice(moved: Incident, event: Event, previous: Status, now: float) -> Incident:
    number = moved.notice.number + 1 if moved.notice else 1
    notice = Notice(number, event, moved.id or "", moved.status, previous, now, moved.opened_at, moved.suppressed)
    return replace(moved, notice=notice, suppressed=0)
