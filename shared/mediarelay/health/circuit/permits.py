"""What one worker knows of the fleet's trials: which providers are suspect, and the permits for single calls.

Thread-safe. What was read lags behind by moments; each change is a compare-and-set, and a refused one returns the item
as it is now.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Final

from mediarelay.health.circuit.half_open import HalfOpenPermit
from mediarelay.health.circuit.ports import SharedHealth
from mediarelay.health.local import Mark, Suspicion
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

# While the table is unavailable, this worker makes one such call in so many seconds.
ALONE_SECONDS: Final = 10.0
# When several workers change one item at the same moment, one of them succeeds in each round.
ROUNDS: Final = 8


class HalfOpenPermits:
    """One instance per worker. Moments in unix seconds."""

    def __init__(self, shared: SharedHealth, *, clock: Clock) -> None:
        self._shared = shared
        self._clock = clock
        self._known: dict[str, HalfOpenPermit] = {}
        self._held: dict[tuple[str, str], str] = {}
        self._resting_until: dict[str, float] = {}
        self._lock = threading.Lock()

    # --- what is known --------------------------------------------------------------------------------------------

    def learn(self, read: Mapping[str, HalfOpenPermit]) -> None:
        """Take over what was read; it never undoes what this worker knows better."""
        now = self._clock.now()
        with self._lock:
            # An item that expired in the table counts its versions anew.
            self._known = {name: trial for name, trial in self._known.items() if name in read or not trial.is_over(now)}
        for provider, trial in read.items():
            self._note(provider, trial)

    def of(self, provider: str) -> HalfOpenPermit:
        """Return the newest state that this worker knows."""
        return self._known.get(provider, HalfOpenPermit())

    def suspicion(self, provider: str, now: float, model: str | None = None) -> Suspicion:
        """Return how far the fleet suspects the provider, or one model of it, as far as this worker knows."""
        trial = self._known.get(provider)
        return Suspicion.CLEAR if trial is None else trial.suspicion(now, model)

    def free(self, provider: str) -> bool:
        """Tell whether the permit is free, as far as this worker knows."""
        now = self._clock.now()
        return self._resting_until.get(provider, 0.0) <= now and self.of(provider).refuses(now) is None

    def rest(self, provider: str, *, until: float) -> None:
        """Ask for no permit before *until*."""
        with self._lock:
            self._resting_until[provider] = max(until, self._resting_until.get(provider, 0.0))

    def holds(self, provider: str, job_id: str) -> bool:
        """Tell whether the job holds the permit."""
        return (provider, job_id) in self._held

    # --- permits --------------------------------------------------------------------------------------------------

    def take(self, provider: str, job_id: str, *, until: float) -> float | None:
        """Take the permit for a job. Returns None when the job holds it now, otherwise when to ask again."""
        now = self._clock.now()
        with self._lock:
            if self.holds(provider, job_id):
                return None
            known = max(self._resting_until.get(provider, 0.0), self.of(provider).taken_until)
            if known > now:
                return known
            # Meanwhile no other job of this worker asks: the answer would be the same.
            self._resting_until[provider] = until
        holder = uuid.uuid4().hex[:12]
        resting_until, refused = self._ask(provider, holder, now, until)
        with self._lock:
            self._resting_until[provider] = resting_until
            if refused is None:
                self._held[provider, job_id] = holder
        return refused

    def give_back(self, provider: str, job_id: str, after: Callable[[HalfOpenPermit], HalfOpenPermit]) -> bool:
        """Release the job's permit and record the outcome. Returns whether it held one."""
        with self._lock:
            holder = self._held.pop((provider, job_id), None)
        if holder is None:
            return False
        if not self._tell(provider, lambda trial: after(trial) if trial.holder == holder else None):
            self.rest(provider, until=after(HalfOpenPermit()).taken_until)
        return True

    def drop(self, job_id: str) -> None:
        """Free the permits that a finished job took and did not use."""
        now = self._clock.now()
        for provider in [provider for provider, holder in list(self._held) if holder == job_id]:
            self.give_back(provider, job_id, lambda trial: trial.returned(now))

    # --- suspicions -----------------------------------------------------------------------------------------------

    def met(self, provider: str, mark: Mark, *, started: float, now: float) -> None:
        """Share that a request failed in a call without a permit that started then."""
        self._tell(provider, lambda trial: trial.met(now, mark, started=started))

    def excused(self, provider: str, cause: str) -> None:
        """Share that another provider has failed the request as well."""
        trial = self._known.get(provider)
        if trial is not None and trial.strikes:
            self._tell(provider, lambda trial: trial.excused(cause))

    def delivered(self, provider: str, model: str = "", *, started: float, now: float) -> None:
        """Share the success of a call without a permit; a provider without strikes costs no write."""
        trial = self._known.get(provider)
        if trial is not None and trial.strikes:
            self._tell(provider, lambda trial: trial.acquitted(now, model, started=started))

    # --- the table --------------------------------------------------------------------------------------------------

    def _ask(self, provider: str, holder: str, now: float, until: float) -> tuple[float, float | None]:
        """Ask the table for the permit. Returns until when this worker need not ask again, and what `take` returns."""

        def taken(trial: HalfOpenPermit) -> HalfOpenPermit | None:
            return trial.taken(holder, until=until) if trial.refuses(now) is None else None

        try:
            stands = self._change(provider, taken)
        except StoreUnavailable as error:
            logger.warning("nobody to ask for a trial permit", extra={"provider": provider, "reason": error.reason})
            return now + ALONE_SECONDS, None
        if stands.holder == holder:
            logger.info("trial", extra={"provider": provider})
            return now, None
        return now, max(stands.taken_until, now)

    def _tell(self, provider: str, change: Callable[[HalfOpenPermit], HalfOpenPermit | None]) -> bool:
        """Share a change. Returns whether the table could be reached."""
        try:
            self._change(provider, change)
        except StoreUnavailable as error:
            logger.warning("trial not told", extra={"provider": provider, "reason": error.reason})
            return False
        return True

    def _change(self, provider: str, change: Callable[[HalfOpenPermit], HalfOpenPermit | None]) -> HalfOpenPermit:
        """Change the item. Returns it as it is in the end, changed by us or by others."""
        trial = self.of(provider)
        for _ in range(ROUNDS):
            after = change(trial)
            if after is None:
                return trial
            other = self._shared.swap(provider, trial, after)
            if other is None:
                return self._note(provider, after.next_version())
            trial = other
            self._note(provider, trial)
        return trial

    def _note(self, provider: str, trial: HalfOpenPermit) -> HalfOpenPermit:
        with self._lock:
            if trial.version > self.of(provider).version:
                self._known[provider] = trial
        return trial
