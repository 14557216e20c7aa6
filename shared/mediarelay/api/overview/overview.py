"""The overview: what the other views would ask one by one, read once and shown to everybody who looks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from mediarelay.alerts.contract import Alert
from mediarelay.api.access import Caller
from mediarelay.api.contract import KeyView, ProviderHealth
from mediarelay.api.operations import OperationsService
from mediarelay.api.overview.contract import (
    DayTotal,
    IncidentLine,
    KeyLines,
    Me,
    Overview,
    ProviderLine,
)
from mediarelay.api.overview.ports import Queues
from mediarelay.health.incident import Event
from mediarelay.keys.states import KeyStatus
from mediarelay.metrics.series.ports import SeriesStore
from mediarelay.metrics.series.rolling import SPAN_SECONDS, SPANS, Point, Series
from mediarelay.usage.contract import UsageReport
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable

# Whoever looks within this sees the same.
SHARED_SECONDS: Final = 2.0
# A day of many tenants is much to read.
USAGE_SECONDS: Final = 60.0
ALERTS_READ: Final = 20
INCIDENTS_SHOWN: Final = 10
KEYS_SHOWN: Final = 12
# Spans of the series that are shown as one.
TOGETHER: Final = 2

T = TypeVar("T")


class _Read(NamedTuple):
    at: float
    overview: Overview


class _Day(NamedTuple):
    at: float
    report: UsageReport


class OverviewService:
    """One per worker. A part whose store is away is missing, and named; without the health of the providers there is
    no overview.
    """

    def __init__(
        self, operations: OperationsService, queues: Queues, series: SeriesStore, *, stage: str, clock: Clock
    ) -> None:
        self._operations = operations
        self._queues = queues
        self._series = series
        self._stage = stage
        self._clock = clock
        self._read: _Read | None = None
        self._day: _Day | None = None
        self._lock = threading.Lock()

    def overview(self, caller: Caller) -> Overview:
        """Return what is known, at most two seconds old. Raises `StoreUnavailable`."""
        me = Me(name=caller.name, role=caller.role, tenant=caller.tenant)
        with self._lock:
            now = self._clock.now()
            if self._read is None or now - self._read.at >= SHARED_SECONDS:
                self._read = _Read(now, self._look(now, me))
            found = self._read.overview
        return found.model_copy(update={"me": me})

    def _look(self, now: float, me: Me) -> Overview:
        missing = _Missing()
        health = self._operations.health()
        overrides = missing.unless("overrides", lambda: self._operations.overrides().overrides)
        keys = missing.unless("keys", lambda: self._operations.keys(overrides).keys)
        alerts = missing.unless("incidents", lambda: self._operations.incidents(ALERTS_READ).alerts)
        queue = missing.unless("queues", self._queues.depth)
        usage = missing.unless("today", lambda: self._usage(now))
        series = missing.unless("history", self._series.load)
        costs = {total.provider: total.cost_usd for total in usage.totals} if usage else None
        return Overview(
            now=now,
            stage=self._stage,
            me=me,
            queue=queue,
            providers=[_line(each, now, series, costs) for each in health.providers],
            series_until=series.upto if series and series.upto else None,
            keys=_key_lines(keys) if keys is not None else None,
            incidents=_incident_lines(alerts) if alerts is not None else None,
            overrides=overrides,
            today=_today(usage) if usage else None,
            warnings=missing.warnings,
        )

    def _usage(self, now: float) -> UsageReport:
        if self._day is None or now - self._day.at >= USAGE_SECONDS:
            self._day = _Day(now, self._operations.usage_today(("provider",)))
        return self._day.report


class _Missing:
    """Collects what could not be read."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def unless(self, part: str, read: Callable[[], T]) -> T | None:
        """Return what is read; None where its store is away."""
        try:
            return read()
        except StoreUnavailable as error:
            self.warnings.append(f"{part}: the {error.store} is away")
            return None


def _line(
    provider: ProviderHealth, now: float, series: Series | None, costs: Mapping[str | None, float] | None
) -> ProviderLine:
    record = provider.record
    points = series.points.get(provider.provider, ()) if series else ()
    done, faults = _columns(points, series.upto) if series and points else ([], [])
    return ProviderLine(
        name=provider.provider,
        vendor=provider.vendor,
        kind=provider.kind,
        status=provider.effective_status,
        since=record.since if record else None,
        reason=record.reason if record else "no attempts yet",
        samples=record.samples if record else 0,
        success_rate=record.success_rate if record else None,
        p50_ms=_whole(record.p50_ms) if record else None,
        p95_ms=_whole(record.p95_ms) if record else None,
        throttled=record.throttled if record else 0,
        open_until=record.circuit.until if record and record.circuit.is_open else None,
        forced=record.forced(now) if record else None,
        cost_today_usd=costs.get(provider.provider, 0.0) if costs is not None else None,
        done=done,
        faults=faults,
    )


def _columns(points: Sequence[Point], until: int) -> tuple[list[int], list[int]]:
    """Return the successes and the faults of all spans; those without an attempt have none."""
    done, faults = [0] * (SPANS // TOGETHER), [0] * (SPANS // TOGETHER)
    for point in points:
        at = SPANS // TOGETHER - 1 - (until - SPAN_SECONDS - point.start) // (SPAN_SECONDS * TOGETHER)
        if 0 <= at < len(done):
            done[at] += point.done
            faults[at] += point.faults
    return done, faults


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _key_lines(keys: Sequence[KeyView]) -> KeyLines:
    counts: dict[KeyStatus, int] = {}
    for key in keys:
        counts[key.status] = counts.get(key.status, 0) + 1
    others = sorted(_not_active(keys), key=lambda key: (key.until is None, key.until or 0.0))
    return KeyLines(counts=counts, not_active=others[:KEYS_SHOWN])


def _not_active(keys: Sequence[KeyView]) -> Iterator[KeyView]:
    return (key for key in keys if key.status is not KeyStatus.ACTIVE)


def _incident_lines(alerts: Sequence[Alert]) -> list[IncidentLine]:
    newest: dict[str, Alert] = {}
    for alert in alerts:  # the newest first
        newest.setdefault(alert.incident_id, alert)
    lines = [
        IncidentLine.model_validate(alert, from_attributes=True)
        for alert in sorted(newest.values(), key=lambda alert: alert.event is Event.RESOLVED)
    ]
    return lines[:INCIDENTS_SHOWN]


def _today(usage: UsageReport) -> DayTotal:
    whole = usage.whole
    return DayTotal(
        jobs=whole.jobs,
        succeeded=whole.succeeded,
        failed=whole.failed + whole.expired + whole.rejected,
        cost_usd=whole.cost_usd,
        uncertain_usd=whole.uncertain_usd,
    )
