"""The Telemetry table's streams and the functions behind them: metrics are counted, health is judged, people are told.

The items of metrics, the counting, the judgement, the sweep and the alerts are the shipped ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any, Final, cast

from mediarelay.alerts.alerting import AlertService, Sources
from mediarelay.alerts.contract import Alert
from mediarelay.alerts.ports import AlertTopic
from mediarelay.health.aggregate import AggregateService
from mediarelay.health.probe_sweep import KeyStores, Prober, ProbeService, Telling
from mediarelay.health.thresholds import ThresholdBook
from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.pool import declared_rates
from mediarelay.keys.states import KeyVerdict
from mediarelay.limits.ports import LimitReports, LimitStore
from mediarelay.limits.watch import LimitWatch
from mediarelay.metrics.dynamodb import DynamoMetrics
from mediarelay.metrics.stream import metric_batch
from mediarelay.providers.api import Capability
from mediarelay.providers.listing import healthy_seconds, providers
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.health import (
    MemoryAlertLog,
    MemoryAlertPath,
    MemoryBuckets,
    MemoryHealth,
    MemoryIncidents,
    MemoryLimitReports,
    MemoryOverrides,
    MemoryPools,
)
from tests.doubles.keys import MemoryKeyStates
from tests.doubles.recording import MemoryCounters
from tools.simulation.aws.stores import Book, Network
from tools.simulation.loop import Loop, VirtualClock

# From a write to the function that reads the stream.
STREAM_SECONDS: Final = 0.3
# The template's MaximumBatchingWindowInSeconds of aggregate_health, and how many records it takes at once.
WINDOW_SECONDS: Final = 1.0
BATCH: Final = 1000
SWEEP_SECONDS: Final = 60.0


class MetricStream:
    """A client of DynamoDB that takes metric items, and what the stream then delivers of them."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._records: deque[tuple[float, dict[str, Any]]] = deque()
        self._number = 0

    def batch_write_item(self, *, RequestItems: Mapping[str, Sequence[Mapping[str, Any]]]) -> Mapping[str, Any]:  # noqa: N803 # boto3's name
        """Take the items."""
        for puts in RequestItems.values():
            for put in puts:
                self._number += 1
                record = {
                    "dynamodb": {"NewImage": put["PutRequest"]["Item"], "SequenceNumber": str(self._number)},
                }
                self._records.append((self._loop.now + STREAM_SECONDS, record))
        return {}

    def due(self) -> list[dict[str, Any]]:
        """Return what has arrived."""
        arrived: list[dict[str, Any]] = []
        while self._records and self._records[0][0] <= self._loop.now and len(arrived) < BATCH:
            arrived.append(self._records.popleft()[1])
        return arrived


class Watched:
    """A store whose changes are told as its table's stream tells them: `news` is given the item before and after."""

    def __init__(self, port: Any, standing: Callable[[Any], Any], news: Callable[[Any, Any], None]) -> None:
        """`standing` finds what stands in the place of an item."""
        self._port = port
        self._standing = standing
        self._news = news

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def save(self, item: Any) -> Any:
        """Save, and tell what has changed."""
        before = self._standing(item)
        answer = self._port.save(item)
        after = self._standing(item)
        if after is not before and after != before:
            self._news(before, after)
        return answer


class Telemetry:
    """What watches over the run.

    Attributes:
        key_states: Where workers save verdicts on keys.
        health: The health records.
        sink: Where workers write metrics.
    """

    def __init__(self, loop: Loop, network: Network, book: Book, *, queued: Callable[[], int], dice: Random) -> None:
        self._loop = loop
        self._network = network
        self._book = book
        self._clock = VirtualClock(loop)
        self._dice = dice
        self._stream = MetricStream(loop)
        verdicts, records, pools, reports = MemoryKeyStates(), MemoryHealth(), MemoryPools(), MemoryLimitReports()
        self.key_states = Watched(verdicts, partial(_verdict, verdicts), self._soon("key_changed"))
        self.health = Watched(records, lambda record: records.get(record.provider), self._soon("provider_changed"))
        self._pools = Watched(pools, lambda state: pools.load().get(state.vendor), self._soon("pool_changed"))
        self._reports = Watched(
            reports, lambda report: reports.load().get(report.provider), self._soon("limits_changed")
        )
        self.sink = DynamoMetrics(self._stream, "telemetry")
        self._alerts = AlertService(
            cast(AlertTopic, SimpleNamespace(publish=self._told)),
            MemoryAlertLog(),
            MemoryIncidents(),
            Sources(verdicts, pools, lambda: records, lambda: reports),
            vendor_of=lambda provider: providers()[provider].vendor,
            queued=queued,
            clock=self._clock,
        )
        self._aggregate = AggregateService(
            network.to("telemetry", MemoryBuckets()),
            network.to("telemetry", self.health),
            limits=ThresholdBook(healthy_seconds(), {}),
            clock=self._clock,
            rng=dice,
        )

    def start(
        self,
        known: Mapping[str, Capability],
        http: Any,
        source: Any,
        base_urls: Mapping[str, str],
        limits: LimitStore,
    ) -> None:
        """Begin to watch these providers."""
        to = self._network.to
        vendors = {name: each.vendor for name, each in known.items()}
        watch = LimitWatch(vendors, to("telemetry", limits), cast(LimitReports, to("telemetry", self._reports)))

        def look(keys: Mapping[str, Sequence[ApiKey]], now: float) -> None:
            watch.look({vendor: declared_rates(key.entry for key in held) for vendor, held in keys.items()}, now)

        sweep = ProbeService(
            self._aggregate,
            to("telemetry", self.health),
            KeyStores(source, to("telemetry", self.key_states), to("telemetry", self._pools)),
            MemoryOverrides(),
            Telling(MemoryAlertPath(), lambda *_: None, look, lambda *_: None, MemoryCounters()),
            Prober(known, http, base_urls=base_urls, clock=self._clock),
            self._clock,
        )
        self._loop.start(self._count_metrics)
        self._loop.start(partial(self._sweep, sweep))

    def _told(self, alert: Alert) -> None:
        for each in (alert, *alert.also):
            told = {"at": round(self._loop.now, 3), "event": str(each.event), "subject": each.subject}
            self._book.alerts.append(told)

    def _soon(self, what: str) -> Callable[[Any, Any], None]:
        """Return what has the alert function told of a change once the stream has delivered it."""

        def news(before: Any, after: Any) -> None:
            tell = partial(getattr(self._alerts, what), before, after)
            self._loop.at(self._loop.now + STREAM_SECONDS, tell)

        return news

    def _count_metrics(self) -> None:
        left: list[dict[str, Any]] = []
        while True:
            self._loop.sleep(WINDOW_SECONDS)
            batch = left or self._stream.due()
            left = []
            if batch:
                try:
                    self._aggregate.aggregate(metric_batch({"Records": batch})[0])
                except StoreUnavailable:
                    left = batch  # the stream delivers it again

    def _sweep(self, sweep: ProbeService) -> None:
        while True:
            self._loop.sleep(SWEEP_SECONDS)
            try:
                sweep.sweep()
            except StoreUnavailable:
                continue  # the next one comes in a minute
            self._loop.at(self._loop.now + STREAM_SECONDS, self._alerts.look_after)


def _verdict(states: MemoryKeyStates, verdict: KeyVerdict) -> KeyVerdict | None:
    return next((each for each in states.load(verdict.vendor) if each.scope == verdict.scope), None)
