"""Permits for single calls, as one worker holds them: shared by the fleet, remembered so that nobody asks in vain."""

from __future__ import annotations

import logging
import threading
import uuid
from typing import Final

from mediarelay.core.errors import StoreUnavailable
from mediarelay.health_ports import TrialPermits
from mediarelay.ports import Clock

logger = logging.getLogger(__name__)

# When nobody can be asked, this worker makes one such call in so many seconds.
ALONE_SECONDS: Final = 10.0


class Trials:
    """Thread-safe; one instance per worker. Moments in unix seconds."""

    def __init__(self, permits: TrialPermits, *, clock: Clock) -> None:
        self._permits = permits
        self._clock = clock
        self._held: dict[tuple[str, str], str] = {}
        self._refused_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def free(self, provider: str) -> bool:
        """Whether a permit may be had, as far as this worker knows."""
        return self._refused_until.get(provider, 0.0) <= self._clock.now()

    def rest(self, provider: str, *, until: float) -> None:
        """This worker asks for no permit before *until*."""
        with self._lock:
            self._refused_until[provider] = max(until, self._refused_until.get(provider, 0.0))

    def holds(self, provider: str, job_id: str) -> bool:
        """Whether the job has a permit."""
        return (provider, job_id) in self._held

    def take(self, provider: str, job_id: str, *, until: float) -> float | None:
        """None when the job holds a permit now; otherwise when to ask again."""
        now = self._clock.now()
        with self._lock:
            if self.holds(provider, job_id):
                return None
            known = self._refused_until.get(provider, 0.0)
            if known > now:
                return known
            # Meanwhile nobody else of this worker asks: the answer would be the same.
            self._refused_until[provider] = until
        holder = uuid.uuid4().hex[:12]
        refused = self._ask(provider, holder, now, until)
        with self._lock:
            if refused is None:
                self._held[provider, job_id] = holder
            else:
                self._refused_until[provider] = refused
        return refused

    def give_back(self, provider: str, job_id: str, *, until: float) -> bool:
        """End a permit: nobody gets another before *until*. Whether the job held one."""
        with self._lock:
            holder = self._held.pop((provider, job_id), None)
            if holder is None:
                return False
            self._refused_until[provider] = until
        try:
            self._permits.give_back(provider, holder, until=until)
        except StoreUnavailable as error:
            logger.warning("trial permit not given back", extra={"provider": provider, "reason": error.reason})
        return True

    def drop(self, job_id: str) -> None:
        """The job is over: permits it took and did not use are free at once."""
        unused = [provider for provider, holder in list(self._held) if holder == job_id]
        for provider in unused:
            self.give_back(provider, job_id, until=self._clock.now())

    def _ask(self, provider: str, holder: str, now: float, until: float) -> float | None:
        try:
            refused = self._permits.take(provider, holder, now=now, seconds=until - now)
        except StoreUnavailable as error:
            logger.warning("nobody to ask for a trial permit", extra={"provider": provider, "reason": error.reason})
            with self._lock:
                self._refused_until[provider] = now + ALONE_SECONDS
            return None
        if refused is None:
            logger.info("trial", extra={"provider": provider})
        return refused
