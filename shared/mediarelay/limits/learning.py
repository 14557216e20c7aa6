"""What the workers make of a 429, as a conversation: whose limit it was, and the rate from here on.

One refusal is an account's. Refusals of most accounts within a second are a limit above them (an address, an
organisation): the group is slowed, and no account is benched; but while the table is unavailable each worker only
guesses its share, and together they may exceed what was declared. A refusal of a call whose permit is older than the
last cut says nothing new. The cut is one conditional write; of workers that saw the same, one makes it.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from mediarelay.limits.acquiring import Cut, CutMade, Look, Seen, look_at
from mediarelay.limits.gcra import ABOUT_TO_SECONDS, LimitState
from mediarelay.limits.learned_rate import LearnedRate, first_learned_rate
from mediarelay.limits.local_view import GROUP, Account, LimitsView
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.limit import Limit

# The vendor's bucket is left alone until it has gained this many permits.
REST_PERMITS: Final = 3.0
_NOBODY: Final[Mapping[str, float]] = MappingProxyType({})


def cut(state: LimitState, pace: LearnedRate, limit: Limit | None, *, now: float, wait: float) -> LimitState:
    """Return the state after the vendor refused for the rate: its bucket is empty, and every reservation is void.

    Calls that are about to be made will still be made, by workers that cannot know: new permits come after them,
    and after the bucket has gained what makes up for their uneven moments. Nothing is lost: it keeps its tokens.
    """
    tolerance = limit.tolerance if limit else 0.0
    last = min(state.tat - tolerance, now + ABOUT_TO_SECONDS)
    start = max(now + wait, last + REST_PERMITS / pace.base)
    return replace(
        state,
        tat=start + tolerance,
        newcomer_tat=None,
        epoch=state.epoch + 1,
        queued=_NOBODY,
        pace=pace,
        throttled_at=now,
    )


# Refusals this close together have one cause when they hit most accounts, and there are enough of these to tell.
TOGETHER_SECONDS: Final = 1.0
FEWEST_ACCOUNTS: Final = 3
MOST: Final = 0.6
# An account that uses less than this part of its measured limit keeps that limit, whatever the noise.
KEPT: Final = 0.7
# When the vendor names no wait: about until its bucket has a token again.
SHORTEST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 2.0
UNKNOWN_WAIT_SECONDS: Final = 0.5
# A refusal names a limit only while that is exceeded; so the limit is believed for this long, then tested again.
STATED_SECONDS: Final = 600.0


@frozen
class Refusal:
    """A call the vendor refused for the rate.

    Attributes:
        started_at: When the call was made, fleet's clock.
        epoch: That of its permit; None when it needed none.
        wait: Seconds the vendor named, or None.
        stated: The limit that the vendor stated along with it, or None.
    """

    owner: str
    started_at: float
    epoch: int | None
    wait: float | None
    stated: Limit | None = None


Learning = Generator[Look | Cut, Seen | CutMade, float]


def wait_after(limit: Limit | None) -> float:
    """Return the seconds to leave an account alone after a refusal that named no wait."""
    if limit is None or not limit.interval:
        return UNKNOWN_WAIT_SECONDS
    return min(LONGEST_WAIT_SECONDS, max(SHORTEST_WAIT_SECONDS, limit.interval))


def learning(refusal: Refusal, accounts: Sequence[Account], view: LimitsView, *, now: float) -> Learning:
    """React to a refusal. Returns the seconds for which the key should rest."""
    names = tuple(account.name for account in accounts)
    seen = yield look_at(accounts, whole=True)
    if isinstance(seen, Seen):
        now = seen.now
        if seen.states is not None:
            view.saw(names, seen.states, now)
    if refusal.stated is not None:
        view.hint(refusal.owner, refusal.stated, now, seconds=STATED_SECONDS)
    account = next((each for each in accounts if each.name == refusal.owner), Account(refusal.owner, ()))
    limit = view.limit(account, len(accounts), now)
    wait = refusal.wait if refusal.wait is not None else wait_after(limit)
    if refusal.stated is not None and math.isinf(refusal.stated.rate):
        return wait  # it was about calls at the same time, and says nothing of a rate
    if limit is not None and view.store_down(now):
        view.backed_off(now)
        return wait
    target = GROUP if _of_group(refusal, accounts, view, now) else refusal.owner
    before = view.state(target)
    if _is_news(refusal, view.state(refusal.owner), before):
        used = view.calls_of([account] if target == refusal.owner else accounts, now)
        recent = _recent(target, accounts, view, now)
        pace = before.pace.refused(now, used) if before.pace else first_learned_rate(recent, now, used)
        if refusal.stated is not None and target == refusal.owner:
            pace = pace.within(refusal.stated.rate)  # this tells the other workers of it
        after = cut(before, pace, None if target == GROUP else limit, now=now, wait=wait)
        made = yield Cut(target, after)
        stands = made.state if isinstance(made, CutMade) else None
        view.replaced(target, stands or after)
    return wait


def _is_news(refusal: Refusal, own: LimitState, before: LimitState) -> bool:
    """Tell whether the call was made at the rate that holds now; an older one only repeats what made it hold."""
    if own is not before and refusal.started_at < before.throttled_at + TOGETHER_SECONDS:
        return False  # the group's: its permits are its accounts', so only time tells
    if refusal.epoch is None:
        return before.pace is None  # made when its worker knew of no limit: now there is one, and it says nothing of it
    current = refusal.epoch == own.epoch
    return current and before.throttled_at < refusal.started_at


def _of_group(refusal: Refusal, accounts: Sequence[Account], view: LimitsView, now: float) -> bool:
    own = next((each for each in accounts if each.name == refusal.owner), None)
    if own is None or len(accounts) < FEWEST_ACCOUNTS or view.recovering(now):
        return False
    group = view.state(GROUP).pace
    if group is not None and group.rate(now) / len(accounts) <= (view.own_rate(own, now) or math.inf):
        return True
    lately = [each for each in accounts if view.state(each.name).throttled_at > now - TOGETHER_SECONDS or each is own]
    return len(lately) >= MOST * len(accounts) and all(_within_limit(each, view, now) for each in lately)


def _within_limit(account: Account, view: LimitsView, now: float) -> bool:
    """Tell whether it was refused although its own limit is known and was kept: only then is there a limit above it.

    Accounts that are still looking for their limits find them at the same time, when the load is spread evenly.
    """
    pace = view.state(account.name).pace
    if view.declared(account, now, for_seconds=TOGETHER_SECONDS) is not None:
        return True  # known when these calls were made, not by their refusals
    return pace is not None and pace.ceiling is not None and pace.rate(now) <= KEPT * pace.ceiling


def _recent(target: str, accounts: Sequence[Account], view: LimitsView, now: float) -> float:
    """Return the rate at which calls were served: as declared, or else as this worker saw it."""
    concerned = accounts if target == GROUP else [each for each in accounts if each.name == target]
    return sum(_rate(each, len(accounts), view, now) for each in concerned)


def _rate(account: Account, accounts: int, view: LimitsView, now: float) -> float:
    limit = view.limit(account, accounts, now)
    return limit.rate if limit is not None else view.recent_rate(account.name, now)
