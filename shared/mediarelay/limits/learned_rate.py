"""What the vendor's refusals say of a limit: found, held, tested now and then, and told from refusals at random.

Theory of operation
- A learned rate is a function of time since it was last written, so that it grows without a write.
- The owner's item counts permits and refusals. Few refusals for many permits (`ALLOWED`) mean nothing; `EVIDENCE` more
  than that, and the rate is cut.
- At a refusal for the rate the vendor's bucket is empty. Between two of them it was empty twice, so what was served in
  between, over the time, *is* the limit. That beats guessing: no sawtooth, only a short test above the limit.
- A cut is a probe as well. If refusals go on at the lower rate as before, they do not depend on the rate: the cut is
  undone, and so many of them are expected from then on (`noise`).
- What is held is tested upwards once in so many calls; one refusal ends the test.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from mediarelay.vocabulary.frozen import frozen

# A rate that is only a guess is kept for the first of these, which shows whether it is too high, and doubles within the
# second.
GUESS_SECONDS: Final = 1.5
DOUBLING_SECONDS: Final = 2.0
# No vendor's limit is lower than one call in ten seconds.
SLOWEST: Final = 0.1
# After a refusal: a little below the limit while the bucket recovers, then at it, then up, to twice it in TEST seconds.
# It is held until so many calls were made, since a test costs about one: for a fast account some seconds at least,
# for a slow one some minutes at most. From one test to the next the wait grows to so many times at most. The first of
# accounts that take turns are so far apart.
BACK_OFF: Final = 0.94
SERVED: Final = 0.985
RECOVERY_SECONDS: Final = 3.0
HOLD_CALLS: Final = 300.0
HOLD_AGES: Final = 4.0
HOLD_SECONDS: Final = 11.0
LONGEST_HOLD_SECONDS: Final = 300.0
TURN_SECONDS: Final = 6.0
TEST_SECONDS: Final = 6.5
# Above the limit as measured by more than this, a rate is a test of it.
TESTING: Final = 1.03
# Measured over less than this, or from fewer calls, a rate is noise; fast accounts have made enough calls sooner.
MEASURED_SECONDS: Final = 1.5
SHORTEST_SECONDS: Final = 0.5
MEASURED_CALLS: Final = 5
FAST_CALLS: Final = 12.0
# Over so many calls or more it is exact, if at least this part of the rate was served.
EXACT_CALLS: Final = 40
EXACT_FROM: Final = 0.85
# A measurement taken while there was little to do must not stop the fleet.
FLOOR: Final = 0.4
# If less than this part of a rate is used, the absence of refusals proves nothing.
IN_USE: Final = 0.7
# So many refusals for each permit are no reason to act, and so many of them beyond that are.
ALLOWED: Final = 0.005
EVIDENCE: Final = 3.0
# After a cut: within the calls that would have met so many refusals at the old rate, it shows whether they go on.
TRIAL: Final = 6.0
LONGEST_TRIAL_SECONDS: Final = 30.0
# They go on when so many have come, and of the calls at least this part of what was refused before; where the rate is
# below this part of the old one, whatever part of the calls they are.
STAYED: Final = 2
GONE: Final = 0.33
FAR: Final = 0.75
# What was measured over a second or two may be a fifth too high. So they count as chance only if one more comes within
# so long at this part of what was served since the cut: no limit refuses that.
DEEPER: Final = 0.8
DEEPER_SECONDS: Final = 10.0
DEEPER_HOLD_SECONDS: Final = 30.0
# No vendor refuses more than this part of the calls by chance; over the few calls before a cut it may look like more.
# What it refuses by chance is looked at again after this.
NOISE_MOST: Final = 0.2
NOISE_MOST_BEFORE: Final = 0.3
NOISE_SECONDS: Final = 180.0
# What is expected by chance is allowed for twice over.
SPREAD: Final = 2.0


@frozen
class Fellows:
    """The accounts with one declaration, which take turns at testing.

    Attributes:
        count: How many they are.
        turn: Which of them it is that is refused.
        limit: What was measured for others and has proven right, the median; None where nothing was.
        common: Whether a lower limit has proven right for most of them.
        noise: The part of the calls that is refused by chance, where that is known of one.
    """

    count: int = 1
    turn: int = 0
    limit: float | None = None
    common: bool = False
    noise: float = 0.0


ALONE: Final = Fellows()


@frozen
class LearnedRate:
    """A learned rate.

    Attributes:
        base: Calls per second at `since`.
        since: When it was written, unix seconds.
        ceiling: The limit as measured; None while it is still sought.
        mark: The owner's count of permits when counting began.
        marked_at: When that was: at a refusal.
        refused: The owner's count of refusals then; one more where the rate was cut for the refusal of that moment, so
            that it does not count again.
        before: The rate before the cut, until that has proven right.
        loss: The part of the calls that was refused at that rate.
        noise: The part of the calls that is refused at whatever rate.
        hold: For how many seconds longer than HOLD_SECONDS the ceiling is held before it is tested.
        proven: What was held before the ceiling was raised between that and what was refused; with `before`, what was
            served since a cut after which refusals went on, of which a part is tried.
    """

    base: float
    since: float
    ceiling: float | None
    mark: int
    marked_at: float
    refused: int = 0
    before: float | None = None
    loss: float = 0.0
    noise: float = 0.0
    hold: float = 0.0
    proven: float | None = None

    def rate(self, now: float) -> float:
        """Return the calls per second now. It at most doubles until a worker that uses it writes it (`rebased`)."""
        age = max(0.0, now - self.since)
        if self.ceiling is None:
            return self.base * math.pow(2.0, min(1.0, max(0.0, age - GUESS_SECONDS) / DOUBLING_SECONDS))
        if age <= self.held_for:
            tried = DEEPER_SECONDS if self.deeper else 0.0
            return self.base + (self.ceiling - self.base) * min(1.0, max(0.0, age - tried) / RECOVERY_SECONDS)
        return self.ceiling * (1.0 + min(1.0, (age - self.held_for) / TEST_SECONDS) ** 2)

    @property
    def held_for(self) -> float:
        """For how many seconds the ceiling is held before it is tested."""
        return HOLD_SECONDS + self.hold

    @property
    def deeper(self) -> bool:
        """Whether refusals went on after a cut, so that a part of what was served since is tried first."""
        return self.before is not None and self.proven is not None

    def on_trial(self, now: float) -> bool:
        """Tell whether a cut may still prove wrong."""
        if self.before is None:
            return False
        longest = max(HOLD_SECONDS, _trial(self.loss, self.ceiling or self.base))
        return now - self.since <= (DEEPER_SECONDS if self.deeper else min(self.held_for, longest))

    @property
    def cut(self) -> bool:
        """Whether it begins below what it goes on to."""
        return self.ceiling is not None and self.base < self.ceiling

    def below(self, declared: float) -> bool:
        """Tell whether it holds less than what was declared."""
        return min(each for each in (self.base, self.ceiling, self.proven) if each is not None) < declared

    def testing(self, now: float, *, most: float = math.inf) -> bool:
        """Tell whether the rate is more than what was held."""
        held = self.proven or self.ceiling
        return held is not None and min(self.rate(now), most) > TESTING * held

    def part(self, part: float) -> LearnedRate:
        """Return that part of the rate."""
        ceiling, proven = (None if each is None else each * part for each in (self.ceiling, self.proven))
        return replace(self, base=self.base * part, ceiling=ceiling, proven=proven)

    def within(self, limit: float, now: float) -> LearnedRate:
        """Return the rate once the vendor has said what the limit is: no need to measure."""
        base = min(self.base, limit)
        return replace(self, base=base, since=now, ceiling=limit, before=None, proven=None, hold=0.0)

    def held(self, now: float) -> float | None:
        """Return the limit that has proven right; None while it is sought, on trial, or not to be told from chance."""
        return None if self.noise or self.on_trial(now) else self.proven or self.ceiling

    def raised(self, now: float, used: int, theirs: float) -> LearnedRate | None:
        """Return the rate to write where a higher limit was found for its fellows; None where it is hardly higher."""
        held = self.held(now)
        if held is None or self.ceiling is None or theirs <= TESTING * max(held, self.ceiling):
            return None
        return replace(self, base=held, since=now, ceiling=theirs, proven=None, before=None, mark=used, marked_at=now)

    def rebased(self, now: float, used: int) -> LearnedRate | None:
        """Return the rate to write once it has doubled; None before that, and while it is not used."""
        age = now - self.since
        full = GUESS_SECONDS + DOUBLING_SECONDS if self.ceiling is None else self.held_for + TEST_SECONDS
        held = self.ceiling or self.proven or self.base
        if age < full or used - self.mark < IN_USE * (held * (self.since - self.marked_at) + self.base * age):
            return None
        held = self.base if self.ceiling is None else self.ceiling
        return replace(self, base=self.rate(now), since=now, ceiling=None, before=None, proven=held)

    def expected(self, now: float) -> float:
        """Return the part of the calls that is refused at whatever rate, as far as that is known lately."""
        return self.noise if now - self.since < NOISE_SECONDS else 0.0

    def measurable(self, now: float, calls: int, rate: float) -> bool:
        """Tell whether enough was called, over long enough, to say what the limit is."""
        enough = max(SHORTEST_SECONDS, min(MEASURED_SECONDS, FAST_CALLS / rate))
        return now - self.marked_at >= enough and calls >= MEASURED_CALLS

    def score(self, now: float, used: int, refused: int, *, expected: float = 0.0) -> float:
        """Return how many refusals there were, since the first that counts, beyond what may come by chance."""
        chance = ALLOWED + SPREAD * max(expected, self.expected(now))
        return refused - self.refused + 1 - chance * max(0, used - self.mark)

    def lost(self, used: int, refused: int) -> float:
        """Return the part of the calls that was refused since the refusal that counts first."""
        return min(1.0, (refused - self.refused + 1) / max(1, used - self.mark + 1))

    def refused_again(
        self,
        now: float,
        used: int,
        refused: int,
        *,
        most: float = math.inf,
        expected: float = 0.0,
        fellows: Fellows = ALONE,
    ) -> LearnedRate:
        """Return what a refusal makes of it, of a call made at this rate; the same object if it says nothing new.

        Args:
            now: When it was heard.
            used: The owner's count of permits.
            refused: The owner's count of refusals, this one included.
            most: The rate that was declared.
            expected: The part of the calls that is refused by chance, as far as more is known than here.
            fellows: The accounts with the same declaration.
        """
        rate, calls, again = min(self.rate(now), most), max(0, used - self.mark), refused - self.refused
        on_trial = self.on_trial(now)
        if on_trial and (self.deeper or (again >= STAYED and self._stayed(rate, again / max(1, calls)))):
            return self._gone_on(now, used, refused, rate, fellows)
        expected = max(expected, self.expected(now), fellows.noise)
        score = self.score(now, used, refused, expected=expected)
        if not on_trial and self.testing(now, most=most) and (not expected or score >= EVIDENCE):
            return self._failed(now, used, refused, rate, fellows)
        if score < 1.0:
            served = (calls - again - 1) / max(1e-6, now - self.marked_at)
            lower = not expected and not on_trial and self.below(most) and calls >= EXACT_CALLS
            return replace(self._lowered(served) if lower else self, mark=used, marked_at=now, refused=refused)
        if score < EVIDENCE or not self.measurable(now, calls, rate):
            return self
        return self._cut(now, used, refused, rate, fellows)

    def _lowered(self, served: float) -> LearnedRate:
        """Return the rate after a refusal long after the one before, where it was used up: what was served in between
        is the limit, more exactly than what was measured when it was cut.
        """
        if self.ceiling is None or self.proven is not None or not EXACT_FROM <= served / self.ceiling < SERVED:
            return self
        limit = SERVED * served
        return replace(self, base=min(self.base, limit), ceiling=limit)

    def _stayed(self, rate: float, loss: float) -> bool:
        """Tell whether a good part of what was refused before the cut still is, or any of it at a far lower rate."""
        far = rate <= FAR * (self.before or rate)
        by_chance = loss <= NOISE_MOST and self.loss <= NOISE_MOST_BEFORE
        return by_chance and (far or loss >= GONE * self.loss)

    def _measured(self, now: float, used: int, refused: int, rate: float) -> float | None:
        """Return what was served a second since counting began; None when that is too soon to tell."""
        calls = max(0, used - self.mark)
        served = max(0, calls - (refused - self.refused))
        return SERVED * served / (now - self.marked_at) if self.measurable(now, calls, rate) else None

    def _failed(self, now: float, used: int, refused: int, rate: float, fellows: Fellows) -> LearnedRate:
        """Return the rate after a test that was refused: what was held. Where that was measured only once, the first of
        the fellows tries between: a bucket that holds a single call serves less of what exceeds it than the limit.
        """
        survived = self.ceiling if now - self.since > self.held_for else self.proven
        held = survived or self.ceiling or rate
        limit = min(rate, max(held, self._measured(now, used, refused, rate) or held, fellows.limit or held))
        kept = LearnedRate(BACK_OFF * limit, now, limit, used, now, refused + 1, noise=self.expected(now))
        if (
            not fellows.turn
            and self.held_for <= LONGEST_TRIAL_SECONDS
            and rate > TESTING * max(limit, self.ceiling or 0.0)
        ):
            return replace(kept, ceiling=(limit + rate) / 2.0, proven=limit)
        age = max(now - self.marked_at, self.held_for)
        return replace(kept, hold=_longer(min(HOLD_AGES * age, longest_hold(limit, fellows))))

    def _cut(self, now: float, used: int, refused: int, rate: float, fellows: Fellows) -> LearnedRate:
        """Return the rate on the evidence of several refusals: as measured, and tested first when it has its turn."""
        loss = self.lost(used, refused)
        before = self.before if self.before is not None and self.on_trial(now) else rate
        limit = max(SLOWEST, min(rate, max(FLOOR * rate, self._measured(now, used, refused, rate) or 0.0)))
        hold = _longer(max(_trial(loss, limit), HOLD_SECONDS + TURN_SECONDS * fellows.turn))
        noise = self.expected(now)
        return LearnedRate(BACK_OFF * limit, now, limit, used, now, refused + 1, before, loss, noise, hold)

    def _gone_on(self, now: float, used: int, refused: int, rate: float, fellows: Fellows) -> LearnedRate:
        """Return the rate where refusals go on after a cut: one that tells a limit that was measured too high from
        chance, and once that is known, the rate before.
        """
        if self.deeper or fellows.noise:
            return self._undone(now, used, refused)
        served = self._measured(now, used, refused, rate)
        if served is None:
            return self
        limit = max(SLOWEST, min(self.ceiling or served, served))
        kept = replace(self, base=DEEPER * limit, since=now, ceiling=limit, mark=used, marked_at=now)
        return replace(kept, refused=refused + 1, hold=_longer(DEEPER_HOLD_SECONDS), proven=limit)

    def _undone(self, now: float, used: int, refused: int) -> LearnedRate:
        """Return the rate before the cut, which has changed nothing: refusals do not depend on the rate."""
        before = self.before or self.base
        again, calls = refused - self.refused + self.deeper, max(1.0 / NOISE_MOST_BEFORE, used - self.mark)
        noise = min(self.loss, NOISE_MOST, again / calls)
        return LearnedRate(before, now, before, used, now, refused + 1, noise=noise)


def _trial(loss: float, limit: float) -> float:
    """Return for how many seconds a cut is on trial, where so much of the calls was refused before."""
    return min(LONGEST_TRIAL_SECONDS, TRIAL / loss / limit) if loss else LONGEST_TRIAL_SECONDS


def _longer(seconds: float) -> float:
    return max(0.0, seconds - HOLD_SECONDS)


def longest_hold(limit: float, fellows: Fellows) -> float:
    """Return for how many seconds a limit is held at most, where fellows take turns at testing theirs."""
    return min(LONGEST_HOLD_SECONDS, fellows.count * HOLD_CALLS / limit)


def taken_over(
    limit: float, now: float, used: int, refused: int, *, fellows: Fellows, trial: LearnedRate | None = None
) -> LearnedRate:
    """Return the rate of an account whose fellows were measured to have this limit, when it is refused as well.

    Args:
        limit: Calls per second.
        now: When it was refused.
        used: Its count of permits.
        refused: Its count of refusals, this one included.
        fellows: Those accounts; whose turn it is says when it is tested first.
        trial: What it was refused at more than once, while those of its fellows are on trial as well.
    """
    kept = LearnedRate(BACK_OFF * limit, now, limit, used, now, refused + 1)
    if trial is not None:
        loss = min(NOISE_MOST_BEFORE, trial.lost(used, refused))  # of a few calls: it may be chance yet
        return replace(kept, before=trial.base, loss=loss, hold=TURN_SECONDS * fellows.turn)
    return replace(kept, hold=_longer(longest_hold(limit, fellows) * (fellows.turn + 1) / fellows.count))


def watching(declared: float, now: float, used: int, refused: int) -> LearnedRate:
    """Return a declared rate of which a refusal is noted: it goes on, and what else is refused is counted."""
    return LearnedRate(declared, now, declared, used, now, refused)


def found(served: float, before: float, now: float) -> LearnedRate:
    """Return the rate of a limit above several accounts, which were served so much while they were refused."""
    limit = max(SLOWEST, min(before, SERVED * served))
    return LearnedRate(BACK_OFF * limit, now, limit, 0, now)


def first_learned_rate(recent_rate: float, now: float, used: int, refused: int = 0) -> LearnedRate:
    """Return the rate after the first refusal; `recent_rate` is what was being served, as far as the worker knows."""
    return LearnedRate(max(SLOWEST, recent_rate), now, None, used, now, refused)
