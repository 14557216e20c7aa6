"""The alert service over stores in memory."""

from __future__ import annotations

from mediarelay.alerts.alerting import AlertService, Sources
from mediarelay.alerts.contract import Alert
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.clock import ManualClock
from tests.doubles.health import MemoryAlertLog, MemoryHealth, MemoryIncidents, MemoryLimitReports, MemoryPools
from tests.doubles.keys import MemoryKeyStates


class Desk:
    """An alert service and what it published."""

    def __init__(self, clock: ManualClock | None = None) -> None:
        self.published: list[Alert] = []
        self.states = MemoryKeyStates()
        self.log = MemoryAlertLog()
        self.incidents = MemoryIncidents()
        self.pools, self.records, self.limits = MemoryPools(), MemoryHealth(), MemoryLimitReports()
        self.clock = clock or ManualClock()
        self.queued = 17
        self.service = AlertService(
            self,
            self.log,
            self.incidents,
            Sources(self.states, self.pools, lambda: self.records, lambda: self.limits),
            vendor_of=lambda _: "openai",
            queued=self._queued,
            clock=self.clock,
        )

    def publish(self, alert: Alert) -> None:
        self.published.append(alert)

    def _queued(self) -> int:
        if self.queued < 0:
            raise StoreUnavailable("request queue", "count its messages", "away")
        return self.queued

    @property
    def last(self) -> Alert:
        return self.published[-1]
