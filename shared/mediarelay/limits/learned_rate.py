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
# for a slow one some minutes at most. From one test to the next the wait grows to so many times at most.
BACK_OFF: Final = 0.94
SERVED: Final = 0.985
RECOVERY_SECONDS: Final = 3.0
HOLD_CALLS: Final = 300.0
HOLD_AGES: Final = 4.0
HOLD_SECONDS: Final = 11.0
LONGEST_HOLD_SECONDS: Final = 300.0
TEST_SECONDS: Final = 6.5
# Above the limit as measured by more than this, a rate is a test of it.
TESTING: Final = 1.03
# Measured over less than this, or from fewer calls, a rate is noise; fast accounts have made enough calls sooner.
MEASURED_SECONDS: Final = 1.5
SHORTEST_SECONDS: Final = 0.5
MEASURED_CALLS: Final = 5
FAST_CALLS: Final = 12.0
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
# No vendor refuses more than this part of the calls by chance; over the few calls before a cut it may look like more.
# What it refuses by chance is looked at again after this.
NOISE_MOST: Final = 0.2
NOISE_MOST_BEFORE: Final = 0.3
NOISE_SECONDS: Final = 180.0
# What is expected by chance is allowed for twice over.
SPREAD: Final = 2.0


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
        proven: What was held before the ceiling was raised between that and what was refused.
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
            return self.base + (self.ceiling - self.base) * min(1.0, age / RECOVERY_SECONDS)
        return self.ceiling * (1.0 + min(1.0, (age - self.held_for) / TEST_SECONDS) ** 2)

    @property
    def held_for(self) -> float:
        """For how many seconds the ceiling is held before it is tested."""
        return HOLD_SECONDS + self.hold

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

    def refused_again(
        self, now: float, used: int, refused: int, *, most: float = math.inf, expected: float = 0.0
    ) -> LearnedRate:
        """Return what a refusal makes of it, of a call made at this rate; the same object if it says nothing new.

        Args:
            now: When it was heard.
            used: The owner's count of permits.
            refused: The owner's count of refusals, this one included.
            most: The rate that was declared.
            expected: The part of the calls that is refused by chance, as far as more is known than here.
        """
        rate, calls, again = min(self.rate(now), most), max(0, used - self.mark), refused - self.refused
        on_trial = self.before is not None and now - self.since <= self.held_for
        if on_trial and again >= STAYED and self._stayed(rate, again / max(1, calls)):
            return self._undone(now, used, refused)
        expected = max(expected, self.expected(now))
        score = self.score(now, used, refused, expected=expected)
        if not on_trial and self.testing(now, most=most) and (not expected or score >= EVIDENCE):
            return self._failed(now, used, refused, rate)
        if score < 1.0:
            return replace(self, mark=used, marked_at=now, refused=refused)
        if score < EVIDENCE or not self.measurable(now, calls, rate):
            return self
        return self._cut(now, used, refused, rate)

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

    def _failed(self, now: float, used: int, refused: int, rate: float) -> LearnedRate:
        """Return the rate after a test that was refused: what was held. Where that was measured only once, try between:
        a bucket that holds a single call serves less of what exceeds it than the limit.
        """
        held = self.proven or self.ceiling or rate
        limit = min(rate, max(held, self._measured(now, used, refused, rate) or held))
        kept = LearnedRate(BACK_OFF * limit, now, limit, used, now, refused + 1, noise=self.expected(now))
        if self.held_for <= LONGEST_TRIAL_SECONDS and rate > TESTING * max(limit, self.ceiling or 0.0):
            return replace(kept, ceiling=(limit + rate) / 2.0, proven=limit)
        age = max(now - self.marked_at, self.held_for)
        return replace(kept, hold=_longer(min(HOLD_AGES * age, HOLD_CALLS / limit, LONGEST_HOLD_SECONDS)))

    def _cut(self, now: float, used: int, refused: int, rate: float) -> LearnedRate:
        """Return the rate on the evidence of several refusals: as measured."""
        again, calls = refused - self.refused, max(0, used - self.mark)
        loss = (again + 1) / max(1, calls + 1)
        before = self.before if self.before is not None and now - self.since <= self.held_for else rate
        limit = max(SLOWEST, min(rate, max(FLOOR * rate, self._measured(now, used, refused, rate) or 0.0)))
        hold = _longer(min(LONGEST_TRIAL_SECONDS, TRIAL / loss / limit))
        noise = self.expected(now)
        return LearnedRate(BACK_OFF * limit, now, limit, used, now, refused + 1, before, loss, noise, hold)

    def _undone(self, now: float, used: int, refused: int) -> LearnedRate:
        """Return the rate before the cut, which has changed nothing: refusals do not depend on the rate."""
        before = self.before or self.base
        noise = min(self.loss, (refused - self.refused) / max(1, used - self.mark))
        return LearnedRate(before, now, before, used, now, refused + 1, noise=noise)


def _longer(seconds: float) -> float:
    return max(0.0, seconds - HOLD_SECONDS)


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
