"""What operators see and do: health, keys, jobs, incidents, overrides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from mediarelay.alerts.ports import AlertLog
from mediarelay.api.access import NOT_FOUND
from mediarelay.api.contract import (
    AuditEntry,
    AuditList,
    BudgetList,
    HealthOverview,
    HistoryPoint,
    IncidentList,
    KeyList,
    KeyView,
    OverrideList,
    OverrideOrder,
    ProviderDetail,
    ProviderHealth,
    SeriesPoint,
)
from mediarelay.health.contract import Force, HealthRecord, Override
from mediarelay.health.judgement import Status
from mediarelay.health.overrides import operator_verdict
from mediarelay.health.ports import HealthStore, OverrideStore
from mediarelay.health.records import fresh_record
from mediarelay.keys.contract import PoolKey, PoolState
from mediarelay.keys.ports import KeyStates, PoolStates
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.metrics.ports import BucketStore, StoredBucket
from mediarelay.metrics.tally import Tally, merged
from mediarelay.providers.listing import ListedProvider
from mediarelay.usage.contract import UsageReport
from mediarelay.usage.ports import UsageStore
from mediarelay.usage.usage import days_of, report
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: most deployments set no budgets.
if TYPE_CHECKING:
    from mediarelay.api.ports import AuditLog
    from mediarelay.budgets.ports import BudgetStore
    from mediarelay.limits.ports import LimitStore
    from mediarelay.metrics.series.ports import SeriesStore

ALERTS_SHOWN: Final = 50
WRITE_TRIES: Final = 5
NO_RANGE: Final = "invalid_range"
# A quarter with its odd days: each of them is a query.
USAGE_DAYS_LIMIT: Final = 93
USAGE_DAYS: Final = 7


@frozen
class Stores:
    """Where everything is kept."""

    records: HealthStore
    buckets: BucketStore
    overrides: OverrideStore
    pools: PoolStates
    alerts: AlertLog
    states: KeyStates
    budgets: Callable[[], BudgetStore]
    usage: UsageStore
    audit: AuditLog
    series: SeriesStore
    limits: Callable[[], LimitStore]


class OperationsService:
    """Every method raises `StoreUnavailable`; what does not exist is a `RequestRejected` (not_found)."""

    def __init__(self, stores: Stores, providers: Mapping[str, ListedProvider], *, clock: Clock) -> None:
        self._stores = stores
        self._providers = providers
        self._clock = clock

    # --- health ---------------------------------------------------------------------------------------------------

    def health(self) -> HealthOverview:
        """Return the health of every provider."""
        now, records = self._clock.now(), self._stores.records.load()
        return HealthOverview(
            now=now,
            providers=[
                _provider_health(provider, records.get(name), now) for name, provider in self._providers.items()
            ],
        )

    def provider_health(self, name: str, *, seconds: int) -> ProviderDetail:
        """Return one provider, with the buckets of so many seconds."""
        provider = self._providers.get(name)
        if provider is None:
            raise RequestRejected(NOT_FOUND, f"there is no provider {name}; there are {', '.join(self._providers)}")
        now = self._clock.now()
        current = _provider_health(provider, self._stores.records.get(name), now)
        stored = self._stores.buckets.load(name, since=round(now) - seconds)
        points = [_point(entry) for entry in stored.values()]
        series = [
            SeriesPoint(start=start, done=done, faults=faults, throttled=throttled, p50_ms=p50, p95_ms=p95)
            for start, done, faults, throttled, p50, p95 in self._stores.series.load().points.get(name, ())
        ]
        return ProviderDetail(**dict(current), history=sorted(points, key=lambda point: point.start), series=series)

    def incidents(self, most: int = ALERTS_SHOWN) -> IncidentList:
        """Return the newest alerts."""
        return IncidentList(alerts=list(self._stores.alerts.latest(most)))

    # --- keys -----------------------------------------------------------------------------------------------------

    def keys(self, held: Sequence[Override] | None = None) -> KeyList:
        """Return every key, by id. What is *held* of overrides need not be read."""
        return self._keys(self._stores.pools.load(), held)

    def _keys(self, pools: Mapping[str, PoolState], held: Sequence[Override] | None = None) -> KeyList:
        now = self._clock.now()
        overrides = {override.subject: override for override in (self._held(now) if held is None else held)}
        views = [
            _key_view(pool.vendor, member, verdicts, overrides, now)
            for pool in pools.values()
            for verdicts in [self._stores.states.load(pool.vendor)]
            for member in pool.members
        ]
        return KeyList(now=now, keys=views)

    def keys_and_limits(self) -> KeyList:
        """Return every key with the limits that it draws on: a read more for each provider of a vendor with keys."""
        from mediarelay.api.operating.key_limits import key_limits  # noqa: PLC0415 # only one view shows them

        pools, store = self._stores.pools.load(), self._stores.limits()
        found, limits = self._keys(pools), {}
        for vendor, pool in pools.items():
            names = [name for name, provider in self._providers.items() if provider.vendor == vendor]
            limits[vendor] = key_limits(store, pool, names, found.now)
        shown = [
            key.model_copy(update={"limits": limits.get(key.vendor, {}).get(key.key_id, [])}) for key in found.keys
        ]
        return found.model_copy(update={"keys": shown})

    # --- budgets --------------------------------------------------------------------------------------------------

    def budgets(self, tenant: str | None = None) -> BudgetList:
        """Return what of this month's budgets is spent, reserved and left; a tenant's alone where it is named."""
        from mediarelay.api.operating.budget_views import budget_view  # noqa: PLC0415 # most deployments set no budgets
        from mediarelay.budgets.windows import window_at  # noqa: PLC0415 # as above

        now = self._clock.now()
        window = window_at(now)
        found = self._stores.budgets().month(window.month)
        found = [state for state in found if tenant is None or state.payer == f"tenant:{tenant}"]
        return BudgetList(now=now, budgets=[budget_view(state, window.day) for state in found])

    # --- usage ----------------------------------------------------------------------------------------------------

    def usage(self, first: str | None, last: str | None, by: str, *, tenant: str | None = None) -> UsageReport:
        """Return what was used from the first day to the last; by default in the week that ends today (UTC).

        A tenant's alone where it is named.
        """
        until = _day("to", last) if last is not None else datetime.fromtimestamp(self._clock.now(), UTC).date()
        since = _day("from", first) if first is not None else _week_before(until)
        if not 0 <= (until - since).days < USAGE_DAYS_LIMIT:
            raise RequestRejected(NO_RANGE, f"from: no later than to, and at most {USAGE_DAYS_LIMIT} days with it")
        totals = self._stores.usage.load(days_of(since, until))
        totals = {each: amounts for each, amounts in totals.items() if tenant in (None, each.tenant)}
        return report(totals, since, until, list(dict.fromkeys(by.split(","))))

    def usage_today(self, by: Sequence[str]) -> UsageReport:
        """Return what was used today (UTC)."""
        today = datetime.fromtimestamp(self._clock.now(), UTC).date().isoformat()
        return self.usage(today, today, ",".join(by))

    # --- overrides --------------------------------------------------------------------------------------------------

    def overrides(self) -> OverrideList:
        """Return the overrides in force."""
        now = self._clock.now()
        return OverrideList(now=now, overrides=self._held(now))

    def force(self, order: OverrideOrder, author: str) -> Override:
        """Force what is ordered, in place of what was forced on the same subject."""
        now = self._clock.now()
        override = Override(
            subject=order.subject,
            force=order.force,
            author=author,
            reason=order.reason,
            created_at=now,
            expires_at=now + order.expires_in_seconds,
        )
        standing = self._standing(override.subject)
        self._apply(override.subject, override, now)
        self._note("override.set", override.subject, author, order.reason, standing, override)
        self._stores.overrides.put(override)
        return override

    def release(self, subject: str, author: str, reason: str | None) -> None:
        """Take back what was forced."""
        standing = self._standing(subject)
        if standing is None:
            raise RequestRejected(NOT_FOUND, f"nothing is forced on {subject}")
        self._apply(subject, None, self._clock.now())
        self._note("override.clear", subject, author, reason, standing, None)
        self._stores.overrides.delete(subject)

    def audit(self, since: float, limit: int) -> AuditList:
        """Return what was changed since then, the newest first."""
        return AuditList(now=self._clock.now(), entries=list(self._stores.audit.since(since, limit)))

    def _standing(self, subject: str) -> Override | None:
        return next((each for each in self._stores.overrides.load() if each.subject == subject), None)

    def _note(
        self,
        action: str,
        subject: str,
        author: str,
        reason: str | None,
        before: Override | None,
        after: Override | None,
    ) -> None:
        """Note what is changed before the list of overrides says so: what is done twice is noted twice, never not."""
        was, holds = (str(each.force) if each else None for each in (before, after))
        now = self._clock.now()
        self._stores.audit.add(
            AuditEntry(at=now, author=author, action=action, subject=subject, reason=reason, before=was, after=holds)
        )

    def _held(self, now: float) -> list[Override]:
        return [override for override in self._stores.overrides.load() if override.holds(now)]

    def _apply(self, subject: str, override: Override | None, now: float) -> None:
        """Write it where routing reads it, then in the list: if the worker dies in between, it is ordered again."""
        what, _, name = subject.partition(":")
        if what == "provider":
            _expect(override, {Force.HEALTHY, Force.DOWN}, "a provider can be forced healthy or down")
            self._mark_record(name, override, now)
        else:
            _expect(override, {Force.DISABLED}, "a key can only be disabled")
            vendor, _, key_id = name.partition(":")
            self._mark_key(vendor, key_id, override, now)

    def _mark_record(self, name: str, override: Override | None, now: float) -> None:
        if name not in self._providers:
            raise RequestRejected(NOT_FOUND, f"there is no provider {name}; there are {', '.join(self._providers)}")
        for _ in range(WRITE_TRIES):
            record = self._stores.records.get(name) or fresh_record(name, now=now)
            if self._stores.records.save(record.model_copy(update={"override": override})):
                return
        raise StoreUnavailable("telemetry table", "write an override", "too many writers at once")

    def _mark_key(self, vendor: str, key_id: str, override: Override | None, now: float) -> None:
        pool = self._stores.pools.load().get(vendor)
        member = next((key for key in pool.members if key.key_id == key_id), None) if pool else None
        if member is None:
            raise RequestRejected(NOT_FOUND, f"vendor {vendor} has no key {key_id}")
        self._stores.states.save(operator_verdict(vendor, member, override, now))


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise RequestRejected(NO_RANGE, f"{name}: must be a day such as 2026-11-28") from error


def _week_before(day: date) -> date:
    return date.fromordinal(max(1, day.toordinal() - USAGE_DAYS + 1))


def _expect(override: Override | None, allowed: set[Force], rule: str) -> None:
    if override is not None and override.force not in allowed:
        raise RequestRejected("invalid_override", rule)


def _provider_health(provider: ListedProvider, record: HealthRecord | None, now: float) -> ProviderHealth:
    return ProviderHealth(
        provider=provider.name,
        vendor=provider.vendor,
        kind=provider.kind,
        effective_status=record.effective(now) if record else Status.IDLE,
        record=record,
    )


def _point(stored: StoredBucket) -> HistoryPoint:
    whole = Tally()
    for tally in merged([stored.bucket]).values():
        whole.merge(tally)
    return HistoryPoint(
        start=stored.bucket.start,
        samples=whole.samples,
        faults=whole.faulted,
        throttled=whole.throttled,
        success_rate=whole.success_rate,
        p50_ms=whole.sketch.quantile(0.5),
        p95_ms=whole.sketch.quantile(0.95),
    )


def _key_view(
    vendor: str, member: PoolKey, verdicts: Sequence[KeyVerdict], overrides: Mapping[str, Override], now: float
) -> KeyView:
    owners = {member.key_id, member.account}
    held = [verdict for verdict in verdicts if verdict.scope.owner in owners and _holds(verdict, now)]
    worst = max(held, key=lambda verdict: verdict.status.severity, default=None)
    return KeyView(
        vendor=vendor,
        key_id=member.key_id,
        account=member.account,
        status=worst.status if worst else KeyStatus.ACTIVE,
        provider=worst.provider if worst else None,
        until=worst.until if worst else None,
        code=worst.code if worst else None,
        override=overrides.get(f"key:{vendor}:{member.key_id}"),
    )


def _holds(verdict: KeyVerdict, now: float) -> bool:
    """Tell whether the verdict holds: a rejected key stays so past its deadline, until a trial succeeds."""
    return verdict.status is KeyStatus.REJECTED or verdict.until is None or verdict.until > now
