"""Once a minute: judge providers without metrics, probe those without calls, re-check rejected keys, watch pools.

And look ahead: what ends in the next ninety days is told while there is time to configure something else.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mediarelay.health.aggregate import AggregateService
from mediarelay.health.contract import HealthRecord
from mediarelay.health.judgement import Status
from mediarelay.health.overrides import operator_verdict
from mediarelay.health.ports import AlertPath, HealthStore, OverrideStore
from mediarelay.health.records import rewritten, unwatched
from mediarelay.http.messages import HttpReply
from mediarelay.http.ports import HttpClient
from mediarelay.keys.contract import PoolKey, PoolState
from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.ports import KeySource, KeyStates, PoolStates
from mediarelay.keys.states import UNWATCHED_CODE, KeyStatus, KeyVerdict
from mediarelay.providers.api import Capability
from mediarelay.providers.probe import PROBE_SECONDS, ProbeResult
from mediarelay.providers.registry import PROBES
from mediarelay.vocabulary.backoff import Growth
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.counters import Counters
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable
from mediarelay.vocabulary.frozen import frozen

logger = logging.getLogger(__name__)

IDLE_EVERY_SECONDS: Final = 300.0
# When a provider that is down was due for a trial for this long, and no job made one, a probe stands in for it.
UNTRIED_SECONDS: Final = 60.0
# A pool must have been without a usable key for this long before people are told.
COOLING_SECONDS: Final = 60.0
REJECTED_AGAIN: Final = Growth(300.0, 3600.0)
UNREADABLE_METRIC: Final = "SecretUnreadable"
ANSWER_LIMIT_BYTES: Final = 1024 * 1024

# What only a success, or the end of the key, ends.
_TO_BE_CLEARED: Final = frozenset({KeyStatus.REJECTED, KeyStatus.EXHAUSTED})

Keys = Mapping[str, Sequence[ApiKey]]


@frozen
class KeyStores:
    """Where the keys come from, and where what is known of them and of their pools is kept."""

    source: KeySource
    states: KeyStates
    pools: PoolStates


@frozen
class Telling:
    """How people come to know: the path of the alerts, and what looks ahead for something to tell.

    Attributes:
        path: From a write to the function that publishes.
        look_ahead: Given the vendors that have keys, what reads the operator's words beside the keys, and the moment in
            unix seconds; raises `StoreUnavailable`.
        look_at_limits: Given the keys by vendor, and the moment; raises `StoreUnavailable`.
        keep_series: Given the providers, and the moment; raises `StoreUnavailable`.
        counters: For what an alarm tells.
    """

    path: AlertPath
    look_ahead: Callable[[Collection[str], Callable[[str], object], float], None]
    look_at_limits: Callable[[Mapping[str, Sequence[ApiKey]], float], None]
    keep_series: Callable[[Collection[str], float], None]
    counters: Counters


class Prober:
    """Asks a vendor a harmless question."""

    def __init__(
        self,
        providers: Mapping[str, Capability],
        http: HttpClient,
        *,
        base_urls: Mapping[str, str],
        clock: Clock,
        enabled: Collection[str] = (),
    ) -> None:
        """Of the providers only those *enabled* are offered; all of them when there are none."""
        self.providers = providers
        self.enabled = frozenset(enabled)
        self._http = http
        self._base_urls = base_urls
        self._clock = clock

    def probe(self, provider: Capability, key: ApiKey) -> ProbeResult:
        """Ask with the key, and read what the answer says about key and provider."""
        probe, now = PROBES[provider.vendor], self._clock.now()
        request = probe.request.at(self._base_urls[provider.name])
        signed = provider.sign(request, key.secret.get_secret_value(), now=now)
        try:
            with self._http.send(signed, deadline=now + PROBE_SECONDS) as answer:
                return probe.result(HttpReply(answer.status, answer.headers, answer.read(ANSWER_LIMIT_BYTES)))
        except Unreachable:
            return ProbeResult.PROVIDER_FAULT


class ProbeService:
    """One sweep per invocation."""

    def __init__(
        self,
        aggregate: AggregateService,
        records: HealthStore,
        keys: KeyStores,
        overrides: OverrideStore,
        telling: Telling,
        prober: Prober,
        clock: Clock,
    ) -> None:
        self._enabled = prober.enabled
        self._aggregate = aggregate
        self._records = records
        self._source = keys.source
        self._states = keys.states
        self._pools = keys.pools
        self._overrides = overrides
        self._telling = telling
        self._prober = prober
        self._providers = prober.providers
        self._clock = clock

    def sweep(self) -> None:
        """Sweep. A part that fails does not stop the others; its error is raised at the end.

        Raises:
            StoreUnavailable: The last one, when a part failed.
        """
        failed: StoreUnavailable | None = None
        keys: Keys = {}
        left: Collection[str] = ()
        try:
            keys = self._load_keys()
            left = self._left(keys)
            self._unwatch(keys)
        except StoreUnavailable as error:
            logger.warning("keys or pools not read", extra={"store": error.store, "reason": error.reason})
            failed = error
        parts = [
            *((self._provider, provider, keys) for provider in self._providers.values()),
            *((self._vendor, vendor, keys) for vendor in dict.fromkeys((*keys, *self._source.faults(), *left))),
        ]
        for part, subject, known in parts:
            try:
                part(subject, known)  # type: ignore[operator]  # each takes its own subject
            except StoreUnavailable as error:
                logger.warning("sweep unfinished", extra={"store": error.store, "reason": error.reason})
                failed = error
        for look in (self._look_ahead, self._look_at_limits, self._keep_series):
            try:
                look(keys)
            except StoreUnavailable as error:
                logger.warning("sweep unfinished", extra={"store": error.store, "reason": error.reason})
                failed = error
        self._expire_overrides()
        # Alerts are rare: but for this, the first one of an outage would wait for a cold start.
        self._telling.path.keep_warm(self._clock.now())
        if failed is not None:
            raise failed

    def _load_keys(self) -> Keys:
        try:
            return self._source.load()
        except StoreUnavailable:
            self._telling.counters.count(UNREADABLE_METRIC, {})
            raise

    def _left(self, keys: Keys) -> Collection[str]:
        """Returns the vendors that were watched at the last sweep and have no keys now: what is open of them ends."""
        pools = self._pools.load().values()
        return [pool.vendor for pool in pools if pool.status == "unreadable" or (keys and pool.members)]

    def _unwatch(self, keys: Keys) -> None:
        """Close what is open of providers that are gone, disabled or without keys, where the keys could be read."""
        vendors = {vendor for vendor, held in keys.items() if held} | self._source.faults().keys()
        now = self._clock.now()
        for name, record in self._records.load().items() if keys else ():
            known = self._providers.get(name)
            watched = known is not None and known.vendor in vendors and (not self._enabled or name in self._enabled)
            if not watched and (record.status.troubled or record.incident.id is not None):
                self._records.save(unwatched(record, now=now))  # refused if somebody has just called it: next time

    def _look_ahead(self, keys: Keys) -> None:
        """Unless the keys could not be read: without them everything would seem at risk."""
        if keys:
            with_keys = [name for name, known in keys.items() if known]
            self._telling.look_ahead(with_keys, self._source.beside, self._clock.now())

    def _look_at_limits(self, keys: Keys) -> None:
        """Unless the keys could not be read: without them nothing would be declared."""
        if keys:
            self._telling.look_at_limits(keys, self._clock.now())

    def _keep_series(self, _: Keys) -> None:
        """Of all providers: what has ended since is shown, whoever still has keys."""
        self._telling.keep_series(list(self._providers), self._clock.now())

    # --- providers --------------------------------------------------------------------------------------------------

    def _provider(self, provider: Capability, keys: Keys) -> None:
        record = self._aggregate.refresh(provider.name)
        now = self._clock.now()
        if provider.vendor not in PROBES or not _wants_probe(record, now):
            return
        usable = self._usable(provider.vendor, keys, now)
        if usable:
            self._conclude(provider, self._prober.probe(provider, usable[0]))

    def _conclude(self, provider: Capability, result: ProbeResult) -> None:
        now = self._clock.now()
        logger.info("probe", extra={"provider": provider.name, "result": result})
        current = self._records.get(provider.name)
        if current is None:
            return
        probed = current.model_copy(update={"probed_at": now})
        health, down = probed.judged, probed.status is Status.DOWN
        if down and result is ProbeResult.WELL:
            health = health.recovered(now, "a probe succeeded", Status.IDLE)
        elif down and result is ProbeResult.PROVIDER_FAULT:
            health = replace(health, circuit=health.circuit.reopened(now, now), reason="a probe failed")
        elif not down and result is ProbeResult.PROVIDER_FAULT:
            health = replace(health, reason="no attempts in the window, and the last probe failed")
        self._records.save(rewritten(probed, health, {}, now=now))  # refused if it has just been called: all the better

    def _usable(self, vendor: str, keys: Keys, now: float) -> list[ApiKey]:
        benched = {verdict.scope.owner for verdict in self._states.load(vendor) if _benches(verdict, now)}
        return [key for key in keys.get(vendor, ()) if not {key.entry.key_id, key.entry.account} & benched]

    # --- keys -------------------------------------------------------------------------------------------------------

    def _vendor(self, vendor: str, keys: Keys) -> None:
        now, verdicts = self._clock.now(), self._states.load(vendor)
        mine = keys.get(vendor, ())
        self._watch_pool(vendor, mine, verdicts, now)
        if vendor not in self._source.faults():
            self._forget(mine, verdicts, now)
        provider = next((p for p in self._providers.values() if p.vendor == vendor), None)
        if provider is None or vendor not in PROBES:
            return
        by_id = {key.entry.key_id: key for key in mine}
        for verdict in verdicts:
            due = verdict.status is KeyStatus.REJECTED and verdict.provider is None and verdict.deadline <= now
            if due and verdict.key_id in by_id:
                self._states.save(_rechecked(verdict, self._prober.probe(provider, by_id[verdict.key_id]), now))

    def _forget(self, keys: Sequence[ApiKey], verdicts: Sequence[KeyVerdict], now: float) -> None:
        """Close what is open of keys and accounts that are no longer in the secret."""
        owners = {owner for key in keys for owner in (key.entry.key_id, key.entry.account)}
        for verdict in verdicts:
            if verdict.status in _TO_BE_CLEARED and verdict.scope.owner not in owners:
                at = max(now, math.nextafter(verdict.observed_at, math.inf))
                gone = replace(verdict, status=KeyStatus.ACTIVE, until=None, strikes=0, observed_at=at)
                self._states.save(replace(gone, code=UNWATCHED_CODE))

    def _watch_pool(self, vendor: str, keys: Sequence[ApiKey], verdicts: Sequence[KeyVerdict], now: float) -> None:
        held = {verdict.scope.owner: verdict for verdict in verdicts if _blocks(verdict, now)}
        members = [PoolKey(key_id=key.entry.key_id, account=key.entry.account or key.entry.key_id) for key in keys]
        blocked = [held[owner] for key in members for owner in (key.key_id, key.account) if owner in held]
        usable = sum(not {key.key_id, key.account} & held.keys() for key in members)
        since = min((verdict.observed_at for verdict in blocked), default=now)
        fault = self._source.faults().get(vendor)
        cooling = bool(members) and not usable and now - since >= COOLING_SECONDS
        before = self._pools.load().get(vendor)
        state = PoolState(
            vendor=vendor,
            status="unreadable" if fault else "cooling" if cooling else "usable",
            since=before.since if before is not None and before.status != "usable" else since,
            at=now,
            keys=len(members),
            usable=usable,
            members=members,
            fault=fault,
        )
        known = before and (before.status, before.members, before.fault)
        if known != (state.status, state.members, state.fault):
            self._pools.save(state)

    def _expire_overrides(self) -> None:
        """Bring disabled keys back whose override ended; a provider's ends in every condition that reads it."""
        now, pools = self._clock.now(), self._pools.load()
        for override in self._overrides.load():
            what, _, name = override.subject.partition(":")
            if override.holds(now) or what != "key":
                continue
            vendor, _, key_id = name.partition(":")
            members = pools[vendor].members if vendor in pools else []
            for member in (key for key in members if key.key_id == key_id):
                self._states.save(operator_verdict(vendor, member, None, now))
            self._overrides.delete(override.subject)


def _wants_probe(record: HealthRecord, now: float) -> bool:
    if record.status is Status.DOWN:
        return now - record.circuit.until >= UNTRIED_SECONDS
    return record.status is Status.IDLE and now - record.probed_at >= IDLE_EVERY_SECONDS


def _benches(verdict: KeyVerdict, now: float) -> bool:
    """Tell whether the verdict bars a probe: one uses no quota, so that a key that merely cools may be asked."""
    return verdict.status.severity > KeyStatus.COOLING.severity and (
        verdict.deadline > now or verdict.status is KeyStatus.REJECTED
    )


def _blocks(verdict: KeyVerdict, now: float) -> bool:
    """Tell whether a key counts as unusable: one that was refused as such until it has served, not until its trial."""
    refused = verdict.status in _TO_BE_CLEARED and verdict.provider is None
    return refused or (verdict.status is not KeyStatus.ACTIVE and verdict.deadline > now)


def _rechecked(verdict: KeyVerdict, result: ProbeResult, now: float) -> KeyVerdict:
    """Return the verdict on a rejected key after its probe: never active when its balance is empty."""
    seen = replace(verdict, observed_at=now)
    if result is ProbeResult.WELL:
        return replace(seen, status=KeyStatus.ACTIVE, until=None, strikes=0, code="probe_succeeded")
    if result is ProbeResult.BALANCE_EMPTY:
        return replace(seen, status=KeyStatus.EXHAUSTED, until=now + 3600, strikes=1, code="balance_empty")
    return replace(seen, until=now + REJECTED_AGAIN.ceiling(verdict.strikes), strikes=verdict.strikes + 1)
