"""What one worker knows of the shared limits of one provider, and how it goes on while the table is unavailable.

One time for all workers: the table's own, read from the `Date` of its answers. Each answer bounds the offset of our
clock: the table wrote a whole second while the call was under way. The bounds of several answers intersect, so that
the offset is soon known to about one round trip. A clock that is right, as Lambda's are, stays inside every bound and
is not touched.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Final

from mediarelay.limits.fairness import newcomer_share
from mediarelay.limits.gcra import ABOUT_TO_SECONDS, Acquire, Answer, Granted, LimitState, acquire
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.planning import Owner
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.limit import Limit

# The state of the group as a whole: an address or an organisation above the accounts.
GROUP: Final = "*"
# Limits that others may have learned must reach a worker that has met none within this.
UNLIMITED_LOOK_SECONDS: Final = 2.0
# How soon the table is tried again after it failed; each worker at its own moment.
RETRY_SECONDS: Final = 3.0
# What was seen within this time is good enough to plan by; the write has the last word.
FRESH_SECONDS: Final = 0.2
# After the table has come back, no bursts for so long.
RECOVERING_SECONDS: Final = 5.0
# A look reads this many owners at most, half a read unit; of more, a different part each time.
WINDOW: Final = 16
# A learned rate changes: reservations far ahead would hold the fleet to what it knew when they were made.
LEARNED_HORIZON_SECONDS: Final = ABOUT_TO_SECONDS
# A worker's own part of the traffic is measured over about this many permits of its own: over fewer, chance makes the
# parts of all workers add up to more than the whole.
SHARE_PERMITS: Final = 100.0
# Refused on its own share, a worker takes so much less, and grows back by this part a second.
BACKED_OFF: Final = 0.8
REGAINED: Final = 0.02
SMALLEST_SHARE: Final = 1e-3
# The rate of a worker's calls without a limit is measured over about this long.
METER_SECONDS: Final = 3.0
_NEW: Final = LimitState()


@frozen
class _Stated:
    """The limit that a vendor stated for an account, since when it is known, and until when it is believed."""

    limit: Limit
    since: float
    until: float


@frozen
class Account:
    """An owner's keys and what was declared for them.

    Attributes:
        key_ids: Those that may be used, each with the moment from which the pool would let it.
        declared: None when nothing was.
    """

    name: str
    key_ids: tuple[tuple[str, float], ...]
    declared: Limit | None = None


class LimitsView:
    """States as last seen, and estimates for when they cannot be. Not thread-safe."""

    def __init__(self, *, workers: int) -> None:
        """`workers` is how many may share the limits, for as long as nothing better is known."""
        self._states: dict[str, LimitState] = {}
        self._hints: dict[str, _Stated] = {}
        self._share = self._measured = 1.0 / workers
        self._share_at = 0.0
        self._own = self._total = 0.0
        self._looked_at = -math.inf
        self._looked: tuple[str, ...] = ()
        self._away_until: float | None = None
        self._recovering_until = -math.inf
        self._meters: dict[str, tuple[float, float]] = {}

    # --- limits ---------------------------------------------------------------------------------------------------

    def state(self, name: str) -> LimitState:
        """Return the state as last seen."""
        return self._states.get(name, _NEW)

    def hint(self, name: str, limit: Limit, now: float, *, seconds: float = math.inf) -> None:
        """Note the limit that the vendor stated; it holds for *seconds* where nothing was declared."""
        hint = self._hints.get(name)
        since = hint.since if hint and now < hint.until else now
        self._hints[name] = _Stated(limit, since, now + seconds)

    def declared(self, account: Account, now: float, *, for_seconds: float = 0.0) -> Limit | None:
        """Return the limit that an operator or the vendor stated, at least so long ago."""
        if account.declared is not None:
            return account.declared
        hint = self._hints.get(account.name)
        if hint is None or now >= hint.until or (for_seconds and hint.since > now - for_seconds):
            return None
        return hint.limit

    def own_rate(self, account: Account, now: float) -> float | None:
        """Return the account's own rate, whatever limit is above it; None when it is not known."""
        pace, known = self.state(account.name).pace, self.declared(account, now)
        rates = [pace.rate(now)] if pace else []
        return min([*rates, known.rate] if known else rates, default=None)

    def limit(self, account: Account, accounts: int, now: float) -> Limit | None:
        """Return the account's limit, declared or learned; None when nothing is known to limit it."""
        return _lowest(self.declared(account, now), self.state(account.name).pace, self._group_part(accounts), now)

    def _group_part(self, accounts: int) -> LearnedRate | None:
        pace = self.state(GROUP).pace
        return None if pace is None else pace.part(1.0 / accounts)

    def owners(self, accounts: Sequence[Account], now: float, *, pool: int) -> list[Owner]:
        """Return the accounts with a known limit, as a plan needs them; the pool has so many, looked at or not."""
        found: list[Owner] = []
        store_down, recovering, returning = self.store_down(now), self.recovering(now), self._returning(now)
        group = self._group_part(pool) if accounts else None
        for account in accounts:
            state, known = self.state(account.name), self.declared(account, now)
            limit = _lowest(known, state.pace, group, now)
            if limit is None:
                continue
            # What cannot be written cannot be reserved either: other workers would reserve it once more.
            # Nor can a slot: the call would come back to a permit that it may not use.
            unsure = known is None or limit is not known or limit.slots is not None or store_down or returning
            if store_down:
                limit = self._shared(limit, now)
            elif recovering:
                # The table knows nothing of calls made while it was unavailable, or by workers still without it.
                limit = replace(limit, burst=1, rate=limit.rate / 2 if returning else limit.rate)
            keys, moments = zip(*account.key_ids, strict=True)
            horizon = LEARNED_HORIZON_SECONDS if unsure else math.inf
            found.append(Owner(account.name, keys, limit, state, now, min(moments), horizon))
        return found

    def found_later(self, account: Account, accounts: Iterable[Account], now: float) -> float:
        """Return the highest limit found since its own for others with the account's declaration; 0 if none."""
        own, declared = self.state(account.name).pace, self.declared(account, now)
        found = [0.0]
        for each in accounts:
            pace = self.state(each.name).pace
            if own and pace and pace.since > own.since and self.declared(each, now) == declared:
                found.append(pace.held(now) or 0.0)
        return max(found)

    def calls_of(self, accounts: Sequence[Account], now: float) -> int:
        """Return how many permits were used: those for later are not counted."""
        return sum(self._calls(account, len(accounts), now) for account in accounts)

    def _calls(self, account: Account, accounts: int, now: float) -> int:
        state, limit = self.state(account.name), self.limit(account, accounts, now)
        if limit is None or not limit.interval:
            return state.used
        interval = limit.interval if state.newcomer_tat is None else newcomer_share(limit).queue_interval
        return state.used - round(max(0.0, state.tat - limit.tolerance - now) / interval)

    def grown_group(self, accounts: Sequence[Account], now: float) -> LimitState | None:
        """Return the group's state to write when its rate has grown; without a rate once it limits no account.

        *accounts* are all of them: those that were not looked at just now count as they were last seen.
        """
        state = self.state(GROUP)
        if state.pace is None:
            return None
        own = [self.own_rate(account, now) for account in accounts]
        if None not in own and not state.pace.expected(now) and not state.pace.below(sum(filter(None, own))):
            return replace(state, pace=None, epoch=state.epoch + 1)
        pace = state.pace.rebased(now, self.calls_of(accounts, now))
        return None if pace is None else replace(state, pace=pace, epoch=state.epoch + 1)

    # --- seeing ---------------------------------------------------------------------------------------------------

    def wants_look(self, accounts: Sequence[Account], now: float) -> bool:
        """Tell whether to read the states before deciding."""
        if not accounts or self.store_down(now):
            return False
        age = now - self._looked_at
        if age >= FRESH_SECONDS and (age >= UNLIMITED_LOOK_SECONDS or self._any_limited(accounts, now)):
            return True
        return any(account.name not in self._looked for account in accounts)

    def _any_limited(self, accounts: Sequence[Account], now: float) -> bool:
        return any(self.limit(account, len(accounts), now) is not None for account in accounts)

    def window(self, accounts: Sequence[Account], now: float, rng: Random) -> Sequence[Account]:
        """Return neighbours by name, from a random place: what one look reads. The same ones while they are fresh.

        After the last comes the first again, or those at the ends would be seen too seldom to be used up.
        """
        if len(accounts) <= WINDOW:
            return accounts
        if now - self._looked_at < FRESH_SECONDS:
            known = {account.name: account for account in accounts}
            return [known[name] for name in self._looked if name in known]
        ordered = sorted(accounts, key=lambda account: account.name)
        first = rng.randrange(len(ordered))
        return [*ordered[first:], *ordered[:first]][:WINDOW]

    def saw(self, names: Iterable[str], states: Mapping[str, LimitState], now: float) -> None:
        """Note what a look for these owners found; those without an item are left out."""
        self._looked = tuple(names)
        if self._away_until is not None:
            self._recovering_until, self._away_until = now + RECOVERING_SECONDS, None
        self._looked_at = now
        for name, state in states.items():
            if name in self._states:
                self._total += max(0, state.used - self._states[name].used)
        self._states.update(states)
        if self._total >= 1.0:
            self._share = self._measured = min(1.0, self._own / self._total)
        if self._own > SHARE_PERMITS:
            self._own, self._total = self._own / 2, self._total / 2

    def learned(self, answer: Answer) -> None:
        """Note the table's answer."""
        name = answer.ask.owner
        others = answer.state.used - self.state(name).used - (answer.ask.count if isinstance(answer, Granted) else 0)
        if name in self._states:
            self._total += max(0, others)
        if isinstance(answer, Granted):
            self._own += answer.ask.count
            self._total += answer.ask.count
        self._states[name] = answer.state

    def replaced(self, name: str, state: LimitState) -> None:
        """Note a state that was changed by other means than an `Acquire`."""
        self._states[name] = state

    def called(self, name: str, now: float) -> None:
        """Note a call for which no limit was known."""
        self._meters[name] = (self.recent_rate(name, now) * METER_SECONDS + 1.0, now)

    def recent_rate(self, name: str, now: float) -> float:
        """Return this worker's recent calls per second, as far as no limit was known."""
        count, at = self._meters.get(name, (0.0, now))
        return count * math.exp((at - now) / METER_SECONDS) / METER_SECONDS

    # --- on its own -----------------------------------------------------------------------------------------------

    def share(self, now: float) -> float:
        """Return this worker's part of the traffic."""
        regained = REGAINED * max(0.0, now - self._share_at)
        return max(SMALLEST_SHARE, min(self._measured, self._share * (1.0 + regained)))

    def reservation_used(self, account: Account, accounts: int, now: float) -> None:
        """Note that a reservation was used: while the table is unavailable, it comes out of this worker's share."""
        limit = self.limit(account, accounts, now)
        if limit is not None and self.store_down(now):
            state = self.state(account.name)
            self._states[account.name] = replace(state, tat=max(state.tat, now + self._shared(limit, now).interval))

    def backed_off(self, now: float) -> None:
        """Take less, as a call within this worker's share was refused: together the workers take too much."""
        self._share, self._share_at = BACKED_OFF * self.share(now), now

    def store_down(self, now: float) -> bool:
        """Tell whether the table failed a moment ago, so that local estimates decide."""
        return self._away_until is not None and now < self._away_until

    def recovering(self, now: float) -> bool:
        """Tell whether the vendors' buckets may be emptier than the table says: it is unavailable, or just was."""
        return self._away_until is not None or now < self._recovering_until

    def failed(self, accounts: Sequence[Account], now: float, rng: Random) -> bool:
        """Go on with this worker's share of each limit, as the table did not answer. Returns whether that is news."""
        news = self._away_until is None
        self._away_until = now + RETRY_SECONDS * rng.uniform(0.5, 1.0)
        if news:
            self.backed_off(now)  # a worker that has just been served overestimates its part
            for account in accounts:
                limit = self.limit(account, len(accounts), now)
                if limit is not None:
                    state = self.state(account.name)
                    first = max(state.tat - limit.tolerance, now) + rng.random() * self._shared(limit, now).interval
                    self._states[account.name] = replace(state, tat=first, newcomer_tat=None)
        return news

    def alone(self, ask: Acquire) -> Answer:
        """Answer a request for permits by what this worker knows."""
        return acquire(self.state(ask.owner), ask)

    def _returning(self, now: float) -> bool:
        """Tell whether other workers may still go by their shares, since each tries the table at its own moment."""
        return self._recovering_until - now > RECOVERING_SECONDS - RETRY_SECONDS

    def _shared(self, limit: Limit, now: float) -> Limit:
        share = self.share(now)
        slots = None if limit.slots is None else max(1, math.floor(limit.slots * share))
        return Limit(limit.rate * share, 1, slots)


def _lowest(known: Limit | None, pace: LearnedRate | None, group: LearnedRate | None, now: float) -> Limit | None:
    """Return the lowest of the declared rate, the learned one, and the account's part of the group's.

    How much the vendor's bucket holds is known of a declared limit alone. At a learned rate nothing is ever saved up.
    """
    learned = [each for each in (pace, group) if each is not None and (known is None or each.below(known.rate))]
    if not learned:
        return known
    rate = min([each.rate(now) for each in learned])
    return Limit(rate) if known is None else Limit(min(known.rate, rate), 1, known.slots)


# Two clocks drift apart by less than this; old bounds widen by it.
_DRIFT: float = 50e-6


class FleetClock:
    """Learns the offset to add to the local clock. Not thread-safe; a race costs one observation."""

    def __init__(self) -> None:
        self._low = -math.inf
        self._high = math.inf
        self._at = 0.0

    @property
    def offset(self) -> float:
        """Seconds to add to the local clock: nothing while no answer contradicts it, else the middle of what may be."""
        return 0.0 if self._low <= 0.0 <= self._high else (self._low + self._high) / 2.0

    def observe(self, date: float, *, sent: float, received: float) -> None:
        """Note an answer with the header `Date` (unix seconds, whole), sent and received at these local moments."""
        widened = abs(received - self._at) * _DRIFT
        self._at = received
        low, high = date - received, date + 1.0 - sent
        self._low, self._high = max(self._low - widened, low), min(self._high + widened, high)
        if self._low > self._high:  # one of the clocks was set: what was known before is void
            self._low, self._high = low, high
