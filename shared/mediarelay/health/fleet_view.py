"""What one worker chooses providers by: what the fleet shares, and what it has just seen itself.

Records and suspicions are read in the background, at most twice a second, by each of a thousand workers once a second;
a worker that cannot read them goes on with its own knowledge. Before each call `admit` is asked: it admits healthy
providers, one call at a time of a provider that is suspect or on trial, and no others, except that one provider of each
kind is always admitted.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final

from mediarelay.health.circuit.half_open import SOON_SECONDS, HalfOpenPermit, is_news
from mediarelay.health.circuit.permits import HalfOpenPermits
from mediarelay.health.circuit.ports import SharedHealth
from mediarelay.health.circuit.record import FIRST_EJECTION_SECONDS
from mediarelay.health.contract import Force, HealthRecord
from mediarelay.health.judgement import Status
from mediarelay.health.local import LatencyBook, LocalBreaker, Mark, Suspicion
from mediarelay.metrics.tally import SUCCESSES, cause_of
from mediarelay.providers.offers import Availability, Offer
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Outcome

logger = logging.getLogger(__name__)

RECORDS_MAX_AGE_SECONDS: Final = 0.5
# All records are one partition, which gives 3,000 read units a second, and a look takes about 1.5 (docs/scaling.md): so
# many workers may look twice a second, and more of them look as much more rarely, so that half of the units stay free.
OFTEN_LOOKING: Final = 500
FIRST_LOOK_SECONDS: Final = 0.25
# A record that was not judged for this long says nothing any more: the aggregator itself may be down.
STALE_SECONDS: Final = 600.0
# Fewer calls in the window say less about the latency than this worker's own.
ENOUGH_SAMPLES: Final = 10
# How long a request that is not the cheapest stays behind one that is.
BEHIND_CHEAPER_SECONDS: Final = 1.0
_NONE: Final[Mapping[str, Offer]] = MappingProxyType({})


class FleetHealth:
    """Thread-safe; one instance per worker."""

    def __init__(
        self,
        shared: SharedHealth,
        *,
        kinds: Mapping[str, Kind],
        has_keys: Callable[[str], bool],
        clock: Clock,
        background: Executor | None = None,
        workers: int = 1,
    ) -> None:
        """Make the view of one worker.

        `kinds` of every provider that may be used; `has_keys` takes a provider's name; *background* reads; *workers*
        is how many there may be.
        """
        self._look_every = RECORDS_MAX_AGE_SECONDS * max(1.0, workers / OFTEN_LOOKING)
        self._shared = shared
        self._kinds = kinds
        self._has_keys = has_keys
        self._clock = clock
        self._breaker = LocalBreaker()
        self._trials = HalfOpenPermits(shared, clock=clock)
        self._latencies = LatencyBook()
        self._records: Mapping[str, HealthRecord] = {}
        self._looked_at: float | None = None
        self._look: Future[None] | None = None
        self._pending: dict[str, int] = defaultdict(int)
        self._offered: dict[str, Mapping[str, Offer]] = {}
        self._failed: dict[str, set[str]] = {}  # where jobs that are being served have met faults
        self._waiting: set[str] = set()
        self._lock = threading.Lock()
        self._background = background or ThreadPoolExecutor(max_workers=1, thread_name_prefix="health")

    # --- what routing reads -------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Read the records if ours are old; wait a little for the very first read."""
        look = self._begin_look()
        if look is not None:
            wait([look], timeout=FIRST_LOOK_SECONDS)

    def availability(self, provider: str, model: str = "") -> Availability:
        """Return how available a model of the provider is to routing."""
        now = self._clock.now()
        record, suspicion = self._record(provider, now), self._suspicion(provider, now, model)
        if _closed(record, suspicion, now):
            return (
                Availability.TRIAL if self._on_trial(record, now) and self._trials.free(provider) else Availability.OPEN
            )
        if suspicion is Suspicion.SUSPECT:
            # The request that gets the permit finds out soon.
            return Availability.TRIAL if self._trials.free(provider) else Availability.SUSPECT
        if record is not None and record.effective(now) is Status.DEGRADED and record.model_at_fault in (None, model):
            return Availability.DEGRADED
        return Availability.READY

    def expected_seconds(self, provider: str, default: float) -> float:
        """Return the fleet's mean if it has enough samples, else this worker's own; *default* before any call."""
        record = self._record(provider, self._clock.now())
        if record is not None and record.samples >= ENOUGH_SAMPLES and record.avg_latency_ms is not None:
            return record.avg_latency_ms / 1000
        return self._latencies.expected(provider, default)

    def pending(self, provider: str) -> int:
        """Return how many calls of this worker are under way."""
        return self._pending[provider]

    # --- what a job does ----------------------------------------------------------------------------------------

    @contextmanager
    def waiting(self, job_id: str, offers: Sequence[Offer]) -> Iterator[None]:
        """Register a job while it is served: until its first call it may be the cheapest that waits, and the trial."""
        with self._lock:
            self._offered[job_id] = {offer.provider: offer for offer in offers}
            self._waiting.add(job_id)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(job_id)
                self._offered.pop(job_id, None)
                self._failed.pop(job_id, None)
            self._trials.drop(job_id)

    def admit(self, provider: str, job_id: str, *, until: float) -> float | None:
        """Admit a job's call. Returns None when it may call; otherwise when to ask again, unix seconds.

        Args:
            provider: The provider to be called.
            job_id: The job that calls.
            until: When the call will be over at the latest, unix seconds.
        """
        self._begin_look()
        now = self._clock.now()
        record = self._record(provider, now)
        if record is not None and record.forced(now) is Force.HEALTHY:
            return None
        offer = self._offered.get(job_id, _NONE).get(provider)
        suspicion = self._suspicion(provider, now, offer.model if offer else "")
        if _closed(record, suspicion, now):
            if self._floor(provider, now):
                return None
            if not self._on_trial(record, now):
                return self._opens_at(provider, record, now)
            return self._trial(provider, job_id, until)
        if suspicion is Suspicion.SUSPECT and not self._last_resort(provider, job_id, now):
            return self._suspect_call(provider, job_id, until)
        return None

    def began(self, provider: str, job_id: str) -> None:
        """Note that the job calls."""
        with self._lock:
            self._pending[provider] += 1
            self._waiting.discard(job_id)

    def ended(self, provider: str, job_id: str, outcome: Outcome | None, *, started: float) -> bool:
        """Note that the call is over; without an outcome it says nothing about the provider.

        Returns:
            Whether other workers should learn of it at once: a fault, or the end of a trial.
        """
        now = self._clock.now()
        with self._lock:
            self._pending[provider] -= 1
        fault, mark = outcome in PROVIDER_FAULTS, None
        offer = self._offered.get(job_id, _NONE).get(provider)
        model = offer.model if offer else ""
        if fault:
            mark = self._mark(provider, job_id, model)
            if mark is not None:
                self._breaker.faulted(provider, mark, started=started, now=now)
        elif outcome in SUCCESSES:
            self._breaker.succeeded(provider, model, started=started)
            self._latencies.record(provider, now - started)
        tried = self._trials.give_back(provider, job_id, lambda trial: self._after(trial, provider, outcome, mark, now))
        if not tried:
            self._tell(provider, model, outcome, mark, started, now)
        return fault or tried

    def _mark(self, provider: str, job_id: str, model: str) -> Mark | None:
        """Return what the job's fault counts as; None when it says nothing (more) of the provider.

        A job's further faults here are the same one. What another provider has failed as well says nothing of either.
        """
        cause, failed = cause_of(job_id), self._failed.setdefault(job_id, set())
        repeated = provider in failed
        failed.add(provider)
        if len(failed) == 1:
            return None if repeated else Mark(cause, model)
        for name in failed:
            self._breaker.excused(name, cause)
            self._trials.excused(name, cause)
        return None

    # --- standing ---------------------------------------------------------------------------------------------------

    def _record(self, provider: str, now: float) -> HealthRecord | None:
        record = self._records.get(provider)
        if record is None or now - record.last_check < STALE_SECONDS or record.forced(now) or record.circuit.is_open:
            return record
        return None

    def _is_closed(self, provider: str, now: float) -> bool:
        return _closed(self._record(provider, now), self._suspicion(provider, now), now)

    def _suspicion(self, provider: str, now: float, model: str | None = None) -> Suspicion:
        """Return the worse of this worker's suspicion and the fleet's, of the provider or of one model of it."""
        return max(self._breaker.suspicion(provider, model, now=now), self._trials.suspicion(provider, now, model))

    def _on_trial(self, record: HealthRecord | None, now: float) -> bool:
        return record is not None and record.forced(now) is None and record.circuit.tries(now)

    def _opens_at(self, provider: str, record: HealthRecord | None, now: float) -> float:
        if record is not None and record.override is not None and record.forced(now) is Force.DOWN:
            return record.override.expires_at
        if record is not None and record.circuit.is_open:
            return record.circuit.until
        return max(self._breaker.until(provider), self._trials.of(provider).trips_until)

    def _rivals(self, provider: str) -> list[str]:
        kind = self._kinds[provider]
        return [name for name, other in self._kinds.items() if other is kind and self._has_keys(name)]

    def _floor(self, provider: str, now: float) -> bool:
        """Tell whether it is the one that is admitted because every provider of its kind is closed."""
        rivals = self._rivals(provider)
        if any(not self._is_closed(name, now) for name in rivals):
            return False
        return provider == min(rivals, key=lambda name: self._reluctance(name, now), default=provider)

    def _reluctance(self, provider: str, now: float) -> tuple[bool, int, float]:
        """Return a sort key, the best first: not forced down, fewer ejections, more successes."""
        record = self._record(provider, now)
        if record is None:
            return False, 0, 0.0
        return record.forced(now) is Force.DOWN, record.circuit.ejections, -(record.success_rate or 0.0)

    def _last_resort(self, provider: str, job_id: str, now: float) -> bool:
        """Tell whether the job has no provider that is clear: then suspicion alone must not delay it."""
        others = [name for name in self._offered.get(job_id, ()) if name != provider]
        return not any(
            not self._is_closed(name, now) and self._suspicion(name, now) is Suspicion.CLEAR for name in others
        )

    # --- trials ---------------------------------------------------------------------------------------------------

    def _suspect_call(self, provider: str, job_id: str, until: float) -> float | None:
        """Admit a call by the fleet's permit, and only while the newest record agrees: others may know more by now."""
        if self._trials.holds(provider, job_id):
            return None
        refused = self._trials.take(provider, job_id, until=until)
        if refused is not None:
            return refused
        self._read()
        now = self._clock.now()
        if not self._is_closed(provider, now):
            return None
        self._trials.give_back(provider, job_id, lambda trial: trial.returned(now))
        return self._opens_at(provider, self._record(provider, now), now)

    def _trial(self, provider: str, job_id: str, until: float) -> float | None:
        """Admit a trial: the cheapest request that waits here; the fleet's permit decides between the workers."""
        if self._trials.holds(provider, job_id):
            return None
        with self._lock:
            offers = {name: self._offered[name].get(provider) for name in self._waiting}
            waiting = {name: offer.cost_usd if offer else math.inf for name, offer in offers.items()}
        mine = waiting.pop(job_id, math.inf)
        if min(waiting.values(), default=math.inf) < mine:
            return self._clock.now() + BEHIND_CHEAPER_SECONDS
        return self._trials.take(provider, job_id, until=until)

    def _after(
        self, trial: HalfOpenPermit, provider: str, outcome: Outcome | None, mark: Mark | None, now: float
    ) -> HalfOpenPermit:
        """Return the permit after a call that used it."""
        if outcome not in PROVIDER_FAULTS:
            return trial.cleared(now) if outcome in SUCCESSES else trial.returned(now)
        record = self._record(provider, now)
        is_open = record is not None and record.circuit.is_open
        at_least = FIRST_EJECTION_SECONDS if is_open else 0.0
        return trial.failed(now, mark, shared=_is_news(record), at_least=at_least)

    def _tell(
        self, provider: str, model: str, outcome: Outcome | None, mark: Mark | None, started: float, now: float
    ) -> None:
        """Share what a call without a permit means to other workers."""
        if outcome in SUCCESSES:
            self._trials.delivered(provider, model, started=started, now=now)
        elif mark is not None:
            self._trials.rest(provider, until=now + SOON_SECONDS)
            if _is_news(self._record(provider, now)):
                self._trials.met(provider, mark, started=started, now=now)

    # --- reading ----------------------------------------------------------------------------------------------------

    def _begin_look(self) -> Future[None] | None:
        """Start reading if our records are old. Returns the read under way until the first has ended."""
        now = self._clock.now()
        with self._lock:
            if self._looked_at is None or now - self._looked_at >= self._look_every:
                first = self._looked_at is None
                self._looked_at = now
                self._look = self._background.submit(self._read)
                return self._look if first else None
        return None

    def _read(self) -> None:
        try:
            seen = self._shared.look()
        except StoreUnavailable as error:
            facts = {"store": error.store, "reason": error.reason}
            logger.warning("health unknown, going on with local knowledge", extra=facts)
            return
        self._records = seen.records
        self._trials.learn(seen.trials)


def _closed(record: HealthRecord | None, suspicion: Suspicion, now: float) -> bool:
    """Tell whether a provider is closed to ordinary traffic."""
    forced = record.forced(now) if record is not None else None
    if forced is not None and forced is not Force.DISABLED:
        return forced is Force.DOWN
    is_open = record is not None and record.circuit.is_open
    return is_open or suspicion is Suspicion.TRIPPED


def _is_news(record: HealthRecord | None) -> bool:
    """Tell whether one more fault should make the provider suspect for the whole fleet."""
    return record is None or is_news(sum(record.counts.get(outcome, 0) for outcome in PROVIDER_FAULTS))
