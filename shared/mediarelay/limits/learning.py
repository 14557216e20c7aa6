"""What the workers make of a 429, as a conversation: whose limit it was, and the rate from here on.

A refusal is counted in its account's item; `learned_rate` says what it makes of the rate, declared or not. Where most
accounts go on being refused at the rates that were measured for them, there is a limit above them (an address, an
organisation, keys that are secretly one account): then the group is slowed, and the accounts have their own limits
again. A refusal of a call whose permit is older than the last cut says nothing new. The cut is one conditional write;
of workers that saw the same, one makes it.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from mediarelay.limits.acquiring import Cut, CutMade, Look, Note, Seen, look_at
from mediarelay.limits.gcra import LimitState
from mediarelay.limits.learned_rate import (
    NOISE_MOST,
    Fellows,
    LearnedRate,
    first_learned_rate,
    found,
    taken_over,
    watching,
)
from mediarelay.limits.local_view import GROUP, Account, LimitsView
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.limit import Limit

# After a cut the vendor's bucket is left alone until it has gained this many permits, or for this long.
REST_PERMITS: Final = 3.0
REST_SECONDS: Final = 3.0
# One of which so many refusals are no chance, and not reason enough to cut it, rests for so many permits each.
RESTED_FROM: Final = 1.5
RESTED_PERMITS: Final = 2.0
# So many refusals after the first, soon, and an account tries what is on trial for its fellows.
AGAIN: Final = 2
# Of what calls at the declared rate would lose at a fellow's limit, at least this part is refused where it is theirs.
SOON: Final = 0.5
# A worker with permits waits for these no longer than this, and makes its calls whatever is learned meanwhile.
WAITING_SECONDS: Final = 2.7
_NOBODY: Final[Mapping[str, float]] = MappingProxyType({})


def cut(state: LimitState, pace: LearnedRate, limit: Limit | None, *, now: float, wait: float) -> LimitState:
    """Return the state after the vendor refused for the rate: its bucket is empty, and every reservation is void.

    Calls that are about to be made will still be made, by workers that cannot know: new permits come after them,
    and after the bucket has gained what makes up for their uneven moments. Nothing is lost: it keeps its tokens.
    The tolerance with which `tat` was written is that of *limit*; a learned rate has none.
    """
    last = max(now, min(state.tat - (limit.tolerance if limit else 0.0), now + WAITING_SECONDS))
    start = max(now + wait, last + min(REST_SECONDS, REST_PERMITS / pace.base))
    return replace(
        state,
        tat=start,
        newcomer_tat=None,
        epoch=state.epoch + 1,
        queued=_NOBODY,
        pace=replace(pace, marked_at=last),
        throttled_at=now,
    )


# Refusals this close together have one cause when they hit most accounts, and there are enough of these to tell.
TOGETHER_SECONDS: Final = 1.0
FEWEST_ACCOUNTS: Final = 3
MOST: Final = 0.6
# An account of the many has refusals like these, in parts of one that nothing else accounts for, and had one lately.
ACCUSED: Final = 1.0
LATELY_SECONDS: Final = 60.0
# Of their calls at the rates that were measured, more than this part is refused: what comes by chance is less.
COMMON: Final = 0.1
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


Learning = Generator[Look | Cut | Note, Seen | CutMade, float]


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
    if _is_news(refusal, view.state(refusal.owner)):
        for step in _steps(refusal, account, accounts, view, now=now, wait=wait):
            made = yield step
            if isinstance(made, CutMade) and made.state is not None:
                view.replaced(step.name, made.state)
            elif isinstance(step, Cut):
                view.replaced(step.name, step.after)
    return wait


def _is_news(refusal: Refusal, own: LimitState) -> bool:
    """Tell whether the call was made at the rate that holds now; an older one only repeats what made it hold."""
    if refusal.epoch is None:
        return own.pace is None  # made when its worker knew of no limit: now there is one, and it says nothing of it
    return refusal.epoch == own.epoch


def _steps(
    refusal: Refusal, account: Account, accounts: Sequence[Account], view: LimitsView, *, now: float, wait: float
) -> Sequence[Cut | Note]:
    """Return what to write down."""
    own, limit = view.state(account.name), view.limit(account, len(accounts), now)
    declared = view.declared(account, now)
    used, refused = view.calls_of([account], now), own.refused + 1
    most = math.inf if declared is None else declared.rate
    group = view.state(GROUP)
    others = [each for each in accounts if view.declared(each, now) == declared]
    fellows, trials = _fellows(account, others, view, now)
    theirs = None if group.pace else _of_fellows(account, fellows, trials, view, now=now, used=used, refused=refused)
    if own.pace is None and (math.isinf(most) or refusal.stated is not None):
        rate = _rate(account, len(accounts), view, now)
        pace = theirs or first_learned_rate(rate, now, used, refused)
        if refusal.stated is not None:
            pace = pace.within(refusal.stated.rate, now)  # this tells the other workers of it
        return [Cut(account.name, cut(replace(own, refused=refused), pace, limit, now=now, wait=wait))]
    before = own.pace or watching(most, now, used, refused)
    expected = group.pace.expected(now) if group.pace is not None else 0.0
    if own.pace is None or (group.pace is not None and before.marked_at < group.pace.since):
        after = replace(before, mark=used, marked_at=now, refused=refused)
    else:
        after = before.refused_again(now, used, refused, most=most, expected=expected, fellows=fellows)
    after = theirs or after
    if refusal.stated is not None:
        after = after.within(refusal.stated.rate, now)
        return [Cut(account.name, cut(replace(own, refused=refused), after, limit, now=now, wait=wait))]
    note = Note(account.name, own, now, None if after == own.pace else after, _rest(after, limit, now, used, refused))
    cuts = after.cut and (theirs is not None or after.since != before.since)
    common = cuts and _common(account, accounts, view, now)
    holds = group.pace is not None and group.pace.rate(now) / len(accounts) <= (view.own_rate(account, now) or math.inf)
    if holds and (common or not cuts):
        return _of_group(group, note, refusal, accounts, view, now=now, wait=wait)
    if common:
        return [note, *_found_group(group, accounts, view, now=now, wait=wait)]
    if cuts:
        after = replace(after, mark=own.used)
        return [Cut(account.name, cut(replace(own, refused=refused), after, limit, now=now, wait=wait))]
    return [note]


def _rest(pace: LearnedRate, limit: Limit | None, now: float, used: int, refused: int) -> float | None:
    """Return until when an account that was refused more than once rests, while it is not known yet what its limit is:
    its bucket is empty, and each call that is made now is refused in all workers alike.
    """
    score = pace.score(now, used, refused)
    if limit is None or not limit.interval or score < RESTED_FROM:
        return None
    return now + min(REST_SECONDS, score * RESTED_PERMITS * limit.interval)


def _fellows(
    account: Account, like_it: Sequence[Account], view: LimitsView, now: float
) -> tuple[Fellows, Sequence[float]]:
    """Return the accounts with one declaration as one of them sees the others, and those of their limits that are on
    trial yet.
    """
    known: dict[bool, list[float]] = {True: [], False: []}
    noise = 0.0
    for each in like_it:
        pace, declared = view.state(each.name).pace, view.declared(each, now)
        noise = max(noise, pace.expected(now) if pace is not None else 0.0)
        held = (pace.proven or pace.ceiling) if pace is not None and not pace.noise else None
        if each.name != account.name and pace is not None and held is not None:
            known[pace.on_trial(now)] += [held] if declared is None or held < declared.rate else []
    turn = next((number for number, each in enumerate(like_it) if each.name == account.name), 0)
    common = 2 * len(known[False]) > len(like_it)
    return Fellows(max(1, len(like_it)), turn, _median(known[False]), common, noise), known[True]


def _median(numbers: Sequence[float]) -> float | None:
    return sorted(numbers)[len(numbers) // 2] if numbers else None


def _of_fellows(
    account: Account,
    fellows: Fellows,
    trials: Sequence[float],
    view: LimitsView,
    *,
    now: float,
    used: int,
    refused: int,
) -> LearnedRate | None:
    """Return the rate that was measured for accounts with the same declaration: at the first refusal of another where
    it was for most of them, at the second, if that comes soon, where it was for a few, and at the third where theirs
    are on trial yet. So one account with a limit of its own holds nobody down who is refused now and then.

    None where nothing lower is known of them, and where the account's own limit was looked for already.
    """
    pace, declared = view.state(account.name).pace, view.declared(account, now)
    if fellows.noise or (pace is not None and (declared is None or pace.below(declared.rate))):
        return None
    rate = declared.rate if declared else view.recent_rate(account.name, now)
    lost = pace.lost(used, refused) if pace is not None and refused > pace.refused else 0.0
    again = pace is not None and lost > NOISE_MOST and refused - pace.refused >= AGAIN
    limit = fellows.limit or (_median(trials) if again else None)
    if limit is None or limit >= rate:
        return None
    if fellows.limit and not fellows.common and declared and lost <= min(NOISE_MOST, SOON * (1.0 - limit / rate)):
        return None
    return taken_over(limit, now, used, refused, fellows=fellows, trial=None if fellows.common else pace)


def _of_group(
    group: LimitState,
    note: Note,
    refusal: Refusal,
    accounts: Sequence[Account],
    view: LimitsView,
    *,
    now: float,
    wait: float,
) -> Sequence[Cut | Note]:
    """Return what to write down when the limit that holds is the one above the accounts."""
    pace = group.pace
    if pace is None or refusal.started_at < pace.since + TOGETHER_SECONDS:
        return [note]  # its permits are its accounts', so only time tells which were made at the rate that holds
    used = view.calls_of(accounts, now)
    refused = sum(view.state(each.name).refused for each in accounts) + 1
    own = [view.own_rate(each, now) for each in accounts]
    most = math.inf if None in own else sum(filter(None, own))
    after = pace.refused_again(now, used, refused, most=most)
    if after == pace:
        return [note]
    if after.since == pace.since or not after.cut:
        return [note, Note(GROUP, group, now, after)]
    return [note, Cut(GROUP, cut(group, replace(after, mark=used), None, now=now, wait=wait))]


def _common(account: Account, accounts: Sequence[Account], view: LimitsView, now: float) -> bool:
    """Tell whether most accounts are refused lately although each keeps its own limit: there is one above them."""
    if len(accounts) < FEWEST_ACCOUNTS or view.recovering(now):
        return False
    accused = [each for each in accounts if each is account or _accused(each, view, now)]
    if len(accused) < MOST * len(accounts) or not all(_within_limit(each, view, now) for each in accused):
        return False
    calls, again = _since_cut(accounts, view, now)
    return again >= COMMON * calls


def _accused(account: Account, view: LimitsView, now: float) -> bool:
    state = view.state(account.name)
    lately = state.throttled_at > now - LATELY_SECONDS
    return (
        lately
        and state.pace is not None
        and state.pace.score(now, view.calls_of([account], now), state.refused) >= ACCUSED
    )


def _since_cut(accounts: Sequence[Account], view: LimitsView, now: float) -> tuple[int, int]:
    """Return the calls that were made since the accounts were cut, and how many of them were refused."""
    known = [(each, view.state(each.name)) for each in accounts]
    calls = sum(max(0, view.calls_of([each], now) - state.pace.mark) for each, state in known if state.pace)
    return calls, sum(max(0, state.refused + 1 - state.pace.refused) for _, state in known if state.pace)


def _within_limit(account: Account, view: LimitsView, now: float) -> bool:
    """Tell whether it was refused although it was just cut to what was measured: only then is there a limit above it.

    Accounts that are still looking for their limits, or whose limits fell, find them at the same time.
    """
    pace = view.state(account.name).pace
    return pace is not None and pace.before is not None and not pace.testing(now)


def _found_group(
    group: LimitState, accounts: Sequence[Account], view: LimitsView, *, now: float, wait: float
) -> Sequence[Cut]:
    """Return the cut of a limit that is found now: what its accounts were served since they were cut.

    Their own limits are what was declared again, as these were not what refused their calls.
    """
    served, most, cuts, mark = 0.0, 0.0, [], 0
    for each in accounts:
        state, limit, declared = view.state(each.name), view.limit(each, len(accounts), now), view.declared(each, now)
        most += declared.rate if declared else view.own_rate(each, now) or 0.0
        if state.pace is not None and now > state.pace.marked_at:
            made = max(0, view.calls_of([each], now) - state.pace.mark)
            refused = state.refused - state.pace.refused
            served += max(0, made - refused) / max(TOGETHER_SECONDS, now - state.pace.marked_at)
        mark += state.used
        if declared is not None and limit is not None:
            own = watching(declared.rate, now, state.used, state.refused)
            cuts.append(Cut(each.name, cut(state, own, limit, now=now, wait=0.0)))
    refused = sum(view.state(each.name).refused for each in accounts) + 2
    pace = replace(found(served, most, now), mark=mark, refused=refused)
    return [Cut(GROUP, cut(group, pace, None, now=now, wait=wait)), *cuts]


def _rate(account: Account, accounts: int, view: LimitsView, now: float) -> float:
    limit = view.limit(account, accounts, now)
    return limit.rate if limit is not None and limit.interval else view.recent_rate(account.name, now)
