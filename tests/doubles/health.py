"""The health ports in memory. Contract tests hold them to what the adapters do."""

from __future__ import annotations

import dataclasses
import pickle
import threading
from collections.abc import Mapping, Sequence

from mediarelay.alerts.contract import Alert
from mediarelay.alerts.pairing import IncidentState
from mediarelay.calendar.contract import CapabilityState
from mediarelay.health.circuit.half_open import HalfOpenPermit
from mediarelay.health.circuit.ports import HealthSnapshot
from mediarelay.health.contract import HealthRecord, Override
from mediarelay.health.ports import HealthStore
from mediarelay.keys.contract import PoolState
from mediarelay.limits.contract import LimitReport
from mediarelay.metrics.ports import StoredBucket
from mediarelay.metrics.series.rolling import Series


class MemoryBuckets:
    """Implements `metrics.ports.BucketStore`. Thread-safe.

    A bucket is kept as bytes: so each reader has its own, ten times as fast as by a deep copy.
    """

    def __init__(self) -> None:
        self._stored: dict[tuple[str, int], tuple[int, bytes]] = {}
        self._lock = threading.Lock()
        self.reads = 0
        self.writes = 0

    def load(self, provider: str, *, since: int) -> Mapping[int, StoredBucket]:
        """See `metrics.ports.BucketStore.load`."""
        with self._lock:
            self.reads += 1
            return {
                start: StoredBucket(pickle.loads(bucket), version)  # noqa: S301 # our own, of this process
                for (name, start), (version, bucket) in sorted(self._stored.items())
                if name == provider and start >= since
            }

    def save(self, provider: str, stored: StoredBucket) -> bool:
        """See `metrics.ports.BucketStore.save`."""
        with self._lock:
            self.writes += 1
            key = (provider, stored.bucket.start)
            version, _ = self._stored.get(key, (0, b""))
            if version != stored.version:
                return False
            self._stored[key] = (version + 1, pickle.dumps(stored.bucket))
            return True


class MemorySeries:
    """Implements `metrics.series.ports.SeriesStore`; `writes` counts its own."""

    def __init__(self) -> None:
        self.series = Series(0, {})
        self.writes = 0

    def load(self) -> Series:
        """See `metrics.series.ports.SeriesStore.load`."""
        return self.series

    def save(self, series: Series) -> None:
        """See `metrics.series.ports.SeriesStore.save`."""
        self.series = series
        self.writes += 1


class MemoryHealth:
    """Implements `health.ports.HealthStore`; `changes` is its stream: (before, after) of each write. Thread-safe."""

    def __init__(self) -> None:
        self._records: dict[str, HealthRecord] = {}
        self._lock = threading.Lock()
        self.changes: list[tuple[HealthRecord | None, HealthRecord]] = []

    def load(self) -> Mapping[str, HealthRecord]:
        """See `health.ports.HealthStore.load`."""
        with self._lock:
            return dict(self._records)

    def get(self, provider: str) -> HealthRecord | None:
        """See `health.ports.HealthStore.get`."""
        return self._records.get(provider)

    def save(self, record: HealthRecord) -> bool:
        """See `health.ports.HealthStore.save`."""
        with self._lock:
            known = self._records.get(record.provider)
            if (known.version if known else 0) != record.version:
                return False
            after = record.model_copy(update={"version": record.version + 1})
            self._records[record.provider] = after
            self.changes.append((known, after))
            return True


class MemoryOverrides:
    """Implements `health.ports.OverrideStore`."""

    def __init__(self) -> None:
        self._overrides: dict[str, Override] = {}

    def load(self) -> Sequence[Override]:
        """See `health.ports.OverrideStore.load`."""
        return list(self._overrides.values())

    def put(self, override: Override) -> None:
        """See `health.ports.OverrideStore.put`."""
        self._overrides[override.subject] = override

    def delete(self, subject: str) -> bool:
        """See `health.ports.OverrideStore.delete`."""
        return self._overrides.pop(subject, None) is not None


class MemorySharedHealth:
    """Implements `health.circuit.ports.SharedHealth` over the records of a store; `writes` counts its own.

    Thread-safe.
    """

    def __init__(self, records: HealthStore | None = None) -> None:
        self._records = records or MemoryHealth()
        self._trials: dict[str, HalfOpenPermit] = {}
        self._lock = threading.Lock()
        self.writes = 0

    def look(self) -> HealthSnapshot:
        """See `health.circuit.ports.SharedHealth.look`."""
        with self._lock:
            return HealthSnapshot(self._records.load(), dict(self._trials))

    def swap(self, provider: str, before: HalfOpenPermit, after: HalfOpenPermit) -> HalfOpenPermit | None:
        """See `health.circuit.ports.SharedHealth.swap`."""
        with self._lock:
            stands = self._trials.get(provider, HalfOpenPermit())
            if stands.version != before.version:
                return stands
            self._trials[provider] = dataclasses.replace(after, version=before.version + 1)
            self.writes += 1
            return None


class MemoryAlertPath:
    """Implements `health.ports.AlertPath`."""

    def __init__(self) -> None:
        self.beats: list[float] = []

    def keep_warm(self, now: float) -> None:
        """See `health.ports.AlertPath.keep_warm`."""
        self.beats.append(now)


class MemoryAlertLog:
    """Implements `alerts.ports.AlertLog`."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}

    def add(self, alert: Alert) -> None:
        """See `alerts.ports.AlertLog.add`."""
        self._alerts[alert.alert_id] = alert

    def latest(self, limit: int) -> Sequence[Alert]:
        """See `alerts.ports.AlertLog.latest`."""
        return [self._alerts[alert_id] for alert_id in sorted(self._alerts, reverse=True)][:limit]


class MemoryIncidents:
    """Implements `alerts.ports.IncidentStates`. Thread-safe."""

    def __init__(self) -> None:
        self._states: dict[str, IncidentState] = {}
        self._spoken: dict[str, float] = {}
        self._lock = threading.Lock()

    def load(self) -> Sequence[IncidentState]:
        """See `alerts.ports.IncidentStates.load`."""
        with self._lock:
            return [self._states[subject] for subject in sorted(self._states)]

    def get(self, subject: str) -> IncidentState | None:
        """See `alerts.ports.IncidentStates.get`."""
        return self._states.get(subject)

    def save(self, state: IncidentState, *, now: float) -> bool:
        """See `alerts.ports.IncidentStates.save`."""
        del now
        with self._lock:
            known = self._states.get(state.subject)
            if (known.version if known else 0) != state.version:
                return False
            self._states[state.subject] = state.model_copy(update={"version": state.version + 1})
            return True

    def claim(self, topic: str, *, now: float, seconds: float) -> bool:
        """See `alerts.ports.IncidentStates.claim`."""
        with self._lock:
            if topic in self._spoken and self._spoken[topic] > now - seconds:
                return False
            self._spoken[topic] = now
            return True


class MemoryLimitReports:
    """Implements `limits.ports.LimitReports`."""

    def __init__(self) -> None:
        self._reports: dict[str, LimitReport] = {}

    def load(self) -> Mapping[str, LimitReport]:
        """See `limits.ports.LimitReports.load`."""
        return dict(self._reports)

    def save(self, report: LimitReport) -> None:
        """See `limits.ports.LimitReports.save`."""
        self._reports[report.provider] = report


class MemoryPools:
    """Implements `keys.ports.PoolStates`."""

    def __init__(self) -> None:
        self._states: dict[str, PoolState] = {}

    def load(self) -> Mapping[str, PoolState]:
        """See `keys.ports.PoolStates.load`."""
        return dict(self._states)

    def save(self, state: PoolState) -> None:
        """See `keys.ports.PoolStates.save`."""
        self._states[state.vendor] = state


class MemoryCapabilities:
    """Implements `calendar.ports.CapabilityStates`; `written` holds every state in order."""

    def __init__(self) -> None:
        self.written: list[CapabilityState] = []
        self.loads = 0

    def load(self) -> Mapping[str, CapabilityState]:
        """See `calendar.ports.CapabilityStates.load`."""
        self.loads += 1
        return {state.kind.value: state for state in self.written}

    def save(self, state: CapabilityState) -> None:
        """See `calendar.ports.CapabilityStates.save`."""
        self.written.append(state)
