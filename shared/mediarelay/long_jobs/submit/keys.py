"""A key to submit with: of a provider that may be called, and of an account that has a slot left."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from random import Random
from typing import Final

from mediarelay.health.fleet_view import FleetHealth
from mediarelay.keys.pools import KeyRing, TakenKey
from mediarelay.long_jobs.account_slots import AccountSlots
from mediarelay.long_jobs.execution_state import MediaJob
from mediarelay.providers.offers import Offer
from mediarelay.serving.failover import Taken
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.outcome import Outcome

# A slot comes free when some job ends: look again soon, then ever more rarely, each at a moment of its own.
SLOT_WAIT_SECONDS: Final = 2.0
SLOT_WAIT_LONGEST_SECONDS: Final = 60.0
SLOT_WAIT_GROWTH: Final = 1.5


class SubmitKeys:
    """One per worker."""

    def __init__(self, keys: KeyRing, slots: AccountSlots, health: FleetHealth, *, clock: Clock, rng: Random) -> None:
        self._keys = keys
        self._slots = slots
        self._health = health
        self._clock = clock
        self._rng = rng

    def waiting(self, job: MediaJob, offers: Sequence[Offer]) -> AbstractContextManager[None]:
        """While the job tries to be submitted, by what the fleet knows of the providers now."""
        self._health.refresh()
        return self._health.waiting(job.request_id, offers)

    def take(
        self, job: MediaJob, provider: str, vendor: str, avoid: frozenset[str], *, until: float
    ) -> tuple[Taken, TakenKey | None]:
        """The answer to the failover flow, and the key; `until` (unix seconds) the submit is over."""
        closed_until = self._health.admit(provider, job.request_id, until=until)
        if closed_until is not None:
            return Taken(self._clock.now(), None, closed_until), None
        refused, full = set(avoid), False
        while isinstance(answer := self._keys.take(vendor, provider, frozenset(refused)), TakenKey):
            if self._slots.take(answer.entry, job):
                return Taken(self._clock.now(), answer.entry.key_id), answer
            self._keys.abandoned(answer, provider)
            full = True
            account = answer.entry.account
            refused |= {key.entry.key_id for key in self._keys.keys_of(vendor) if key.entry.account == account}
        now = self._clock.now()
        free = now + self._slot_wait(job) if full else None
        soonest = min((each for each in (answer.at, free) if each is not None), default=None)
        return Taken(now, None, soonest), None

    def began(self, job: MediaJob, provider: str) -> float:
        """The job is submitted now, at this moment in unix seconds."""
        self._health.began(provider, job.request_id)
        return self._clock.now()

    def ended(self, job: MediaJob, provider: str, outcome: Outcome | None, *, started: float) -> bool:
        """The submit is over; whether others should hear of it at once. No outcome: it says nothing of the provider."""
        return self._health.ended(provider, job.request_id, outcome, started=started)

    def _slot_wait(self, job: MediaJob) -> float:
        longest = min(SLOT_WAIT_LONGEST_SECONDS, SLOT_WAIT_SECONDS * SLOT_WAIT_GROWTH ** min(job.submits, 16))
        return SLOT_WAIT_SECONDS + self._rng.uniform(0.0, longest)
