"""Opened and resolved take turns: over histories of providers, keys and pools, with races, replays and lost writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.alerts.alerting import LOST_SECONDS
from mediarelay.alerts.contract import AlertFacts
from mediarelay.alerts.pairing import IncidentState
from mediarelay.budgets.contract import BudgetLevel
from mediarelay.health.incident import Event
from mediarelay.health.judgement import Status
from mediarelay.health.records import fresh_record, unwatched
from mediarelay.keys.contract import PoolState
from mediarelay.keys.states import UNWATCHED_CODE, KeyStatus
from mediarelay.limits.contract import LimitReport, LowerLimit
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.builders.dice import dice
from tests.builders.incidents import VERDICT, moved
from tests.doubles.clock import EPOCH
from tests.doubles.health import MemoryIncidents
from tests.harness.health.alert_desk import Desk

THOROUGH = settings.default is not None and settings.default.max_examples > 100
PROVIDERS = ("openai-tts", "openai-image", "fal-flux")
KEYS = ("0123456789ab", "ba9876543210", "aaaabbbbcccc")
VENDORS = ("openai", "fal")


class Trouble:
    """Stands before a port: now and then a call fails before it, or after it, or something else happens first."""

    def __init__(self, inner: Any, rng: Random, share: float, meanwhile: Callable[[], None]) -> None:
        self.inner, self.rng, self.share, self.meanwhile = inner, rng, share, meanwhile

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.inner, name)

        def troubled(*arguments: Any, **named: Any) -> Any:
            self.meanwhile()
            if self.rng.random() < self.share:
                raise StoreUnavailable("a store", name, "away")
            answer = call(*arguments, **named)
            if self.rng.random() < self.share:
                raise StoreUnavailable("a store", name, "its answer was lost")
            return answer

        return troubled


class History:
    """Records that change, the streams of their changes, and who tells people of them."""

    def __init__(self, seed: int, trouble: float) -> None:
        self.rng = dice(seed)
        self.desk = Desk()
        self.clock = self.desk.clock
        self.desk.service._vendor_of = lambda name: name.partition("-")[0]
        self.streams: dict[str, list[Callable[[], Any]]] = defaultdict(list)
        self.read: dict[str, int] = defaultdict(int)
        self._within = False
        service: Any = self.desk.service
        self._whole = service._topic, service._log, service._incidents
        service._topic, service._log, service._incidents = (
            Trouble(port, self.rng, trouble, self._meanwhile) for port in self._whole
        )

    def step(self) -> None:
        """Something happens."""
        self.clock.advance(self.rng.choice([0.0, 0.1, 1.0, 20.0, 70.0, 2000.0]))
        often: list[Callable[[], None]] = [self.provider, self.key, self.tell]
        self.rng.choice([*often, *often, self.pool, self.limit, self.look])()

    def _meanwhile(self) -> None:
        """Another invocation, in the middle of this one; the stream itself gives a subject to one at a time."""
        if not self._within and self.rng.random() < 0.05:
            self._within = True
            self.rng.choice([self.look, self.tell])()
            self._within = False

    def provider(self, name: str | None = None, status: Status | None = None) -> None:
        name = name or self.rng.choice(PROVIDERS)
        before, now = self.desk.records.get(name) or fresh_record(name, now=EPOCH), self.clock.now()
        if status is None and self.rng.random() < 0.2:
            after = unwatched(before, now=now)
        else:
            status = status or self.rng.choice([Status.HEALTHY, Status.DEGRADED, Status.DOWN, Status.IDLE])
            after = moved(before, status, now - EPOCH)
        assert self.desk.records.save(after)
        self.streams[name].append(lambda: self.desk.service.provider_changed(before, after))

    def key(self, name: str | None = None, status: KeyStatus | None = None) -> None:
        name, now = name or self.rng.choice(KEYS), self.clock.now()
        kinds = [KeyStatus.REJECTED, KeyStatus.EXHAUSTED, KeyStatus.COOLING, KeyStatus.ACTIVE]
        status, gone = status or self.rng.choice(kinds), self.rng.random() < 0.3
        code = UNWATCHED_CODE if status is KeyStatus.ACTIVE and gone else "said_so"
        verdict = replace(VERDICT, vendor=VENDORS[KEYS.index(name) % 2], key_id=name, status=status, code=code)
        states = self.desk.states
        states.save(replace(verdict, observed_at=now, until=now + 60))
        changes, states.changes = states.changes, []
        for before, after in changes:  # none where the table knows better already
            self.streams[name].append(partial(self.desk.service.key_changed, before, after))

    def pool(self, vendor: str | None = None, status: str | None = None) -> None:
        vendor = vendor or self.rng.choice(VENDORS)
        status = status or self.rng.choice(["usable", "cooling", "unreadable"])
        now, keys = self.clock.now(), self.rng.randrange(3)
        before = self.desk.pools.load().get(vendor)
        facts: Any = {"status": status, "since": now - 60, "at": now, "keys": keys, "usable": 0}
        after = PoolState(vendor=vendor, **facts)
        if before is None or before.at < now:
            self.desk.pools.save(after)
            self.streams[vendor].append(lambda: self.desk.service.pool_changed(before, after))

    def limit(self, provider: str | None = None, *, lower: bool | None = None) -> None:
        provider, now = provider or self.rng.choice(PROVIDERS), self.clock.now()
        lower = self.rng.random() < 0.5 if lower is None else lower
        found = [LowerLimit(account="acme", declared_per_minute=600, measured_per_minute=300)] if lower else []
        before = self.desk.limits.load().get(provider)
        after = LimitReport(
            provider=provider,
            vendor=provider.partition("-")[0],
            status="limit_lower_than_declared" if lower else "as_declared",
            since=now,
            at=now,
            lower=found,
        )
        if before is None or before.at < now:
            self.desk.limits.save(after)
            self.streams[f"limit {provider}"].append(lambda: self.desk.service.limits_changed(before, after))

    def tell(self) -> None:
        """A stream's next batch: some of it again, and on from where it failed."""
        ready = [name for name, changes in self.streams.items() if self.read[name] < len(changes)]
        if not ready:
            return
        name = self.rng.choice(sorted(ready))
        start = self.rng.randint(max(0, self.read[name] - 3), self.read[name])
        for position in range(start, min(len(self.streams[name]), self.read[name] + 2)):
            try:
                self.streams[name][position]()
            except StoreUnavailable:
                if self.rng.random() < 0.9:
                    return  # it comes again; now and then it is given up
            self.read[name] = max(self.read[name], position + 1)

    def look(self) -> None:
        """The minute's look."""
        try:
            self.desk.service.look_after()
        except StoreUnavailable:
            return

    def end(self) -> None:
        """Everything becomes well or is gone, the stores too, and every stream is read to its end."""
        service: Any = self.desk.service
        service._topic, service._log, service._incidents = self._whole
        for _ in range(2):  # flapping ends when it has kept still
            self.clock.advance(4000.0)
            for name in PROVIDERS:
                self.provider(name, Status.HEALTHY)
        for name in KEYS:
            self.key(name, KeyStatus.ACTIVE)
        for vendor in VENDORS:
            self.pool(vendor, "usable")
        for name in PROVIDERS:
            self.limit(name, lower=False)
        while any(self.read[name] < len(changes) for name, changes in self.streams.items()):
            self.tell()
        for _ in range(2):
            self.clock.advance(130.0)
            self.look()

    def told(self) -> dict[str, list[AlertFacts]]:
        """What people know, by subject: each alert once, as a subscriber reads them."""
        found: dict[str, dict[str, AlertFacts]] = defaultdict(dict)
        for message in self.desk.published:
            for alert in (message, *message.also):
                found[alert.subject].setdefault(alert.alert_id, alert)
        return {subject: list(alerts.values()) for subject, alerts in found.items()}


OPENING = {Event.OPENED, Event.FLAPPING}


@settings(max_examples=10_000 if THOROUGH else 150)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 60), trouble=st.sampled_from([0.0, 0.05, 0.3]))
def test_every_opened_has_one_resolved_and_no_two_opened_follow_each_other(
    seed: int, steps: int, trouble: float
) -> None:
    history = History(seed, trouble)
    for _ in range(steps):
        history.step()
    history.end()
    for subject, alerts in history.told().items():
        turns = [alert for alert in alerts if alert.event in (Event.RESOLVED, Event.OPENED)]
        first = alerts[0].event
        assert first in OPENING, (subject, first)
        assert alerts[-1].event is Event.RESOLVED, subject
        opened = False
        incident = ""
        for alert in alerts:
            if alert.event is Event.RESOLVED:
                assert opened, subject
                assert alert.incident_id == incident, subject
                opened = False
            elif not opened:
                assert alert.event in OPENING, (subject, alert.event)
                opened, incident = True, alert.incident_id
            else:
                assert alert.event is not Event.OPENED, subject
                assert alert.incident_id == incident, subject
        assert all(one.event is not other.event for one, other in pairwise(turns)), subject
    ids = [alert.alert_id for alerts in history.told().values() for alert in alerts]
    assert len(ids) == len(set(ids))


# --- what a message is of -------------------------------------------------------------------------------------------


def rejected(desk: Desk, *names: str, status: KeyStatus = KeyStatus.REJECTED, code: str = "invalid_api_key") -> None:
    for name in names:
        at = desk.clock.now()
        desk.states.save(replace(VERDICT, key_id=name, status=status, observed_at=at, code=code))
    changes, desk.states.changes = desk.states.changes, []
    for before, after in changes:
        desk.service.key_changed(before, after)


def test_the_first_incident_of_a_vendor_is_told_at_once_and_those_of_the_minute_in_one_message() -> None:
    desk = Desk()
    rejected(desk, *KEYS)
    assert [alert.key_id for alert in desk.published] == [KEYS[0]]
    desk.clock.advance(30.0)
    desk.service.look_after()
    desk.service.look_after()
    _, message = desk.published
    assert {message.key_id, *(alert.key_id for alert in message.also)} == set(KEYS[1:])
    assert all(alert.event is Event.OPENED for alert in (message, *message.also))
    desk.clock.advance(60.0)
    rejected(desk, *KEYS, status=KeyStatus.ACTIVE)
    desk.service.look_after()
    assert [len(alert.also) for alert in desk.published] == [0, 1, 0, 1]


class _Counted(MemoryIncidents):
    loads = 0

    def load(self) -> Sequence[IncidentState]:
        self.loads += 1
        return super().load()


def test_the_minutes_look_reads_what_is_known_once_and_again_only_after_it_has_asked() -> None:
    desk = Desk()
    service: Any = desk.service
    service._incidents = counted = _Counted()
    rejected(desk, *KEYS)
    service.look_after()
    assert (counted.loads, len(desk.published)) == (1, 2)
    desk.clock.advance(LOST_SECONDS + 1.0)
    service.look_after()
    assert counted.loads == 3


def test_what_is_over_before_it_was_told_is_not_told() -> None:
    desk = Desk()
    rejected(desk, *KEYS)
    desk.clock.advance(1.0)
    rejected(desk, KEYS[1], KEYS[2], status=KeyStatus.ACTIVE)
    desk.service.look_after()
    assert [alert.key_id for alert in desk.published] == [KEYS[0]]


def test_a_key_that_was_replaced_is_told_as_no_longer_watched() -> None:
    desk = Desk()
    rejected(desk, KEYS[0])
    desk.clock.advance(1.0)
    rejected(desk, KEYS[0], status=KeyStatus.ACTIVE, code=UNWATCHED_CODE)
    opened, over = desk.published
    assert (over.event, over.incident_id, over.reason) == (
        Event.RESOLVED,
        opened.incident_id,
        "it is no longer in the secret",
    )
    assert over.summary == f"key:openai:{KEYS[0]} is no longer watched"


def test_a_rejected_key_that_cools_and_then_serves_is_over_once() -> None:
    desk = Desk()
    for status in (KeyStatus.REJECTED, KeyStatus.COOLING, KeyStatus.ACTIVE, KeyStatus.COOLING, KeyStatus.ACTIVE):
        desk.clock.advance(5.0)
        rejected(desk, KEYS[0], status=status)
    assert [alert.event for alert in desk.published] == [Event.OPENED, Event.RESOLVED]


def test_what_a_dying_worker_wrote_down_is_published_by_whoever_comes_by_under_the_same_id() -> None:
    desk = Desk()
    service: Any = desk.service
    publish, service._topic = desk.publish, Trouble(desk, dice(1), 1.1, lambda: None)
    try:
        rejected(desk, KEYS[0])
    except StoreUnavailable:
        service._topic = desk
    assert desk.published == []
    desk.service.look_after()
    desk.service.look_after()
    (alert,) = desk.published
    assert (alert.event, alert.key_id, publish.__name__) == (Event.OPENED, KEYS[0], "publish")


def test_the_levels_of_a_budget_are_one_incident_that_ends_with_its_window() -> None:
    desk = Desk()
    window = {"payer": "tenant:acme", "window": "2026-08-01", "most_usd": 10.0, "at": desk.clock.now()}
    for level in (50, 80, 100):
        desk.service.level_reached(BudgetLevel(level=level, used_usd=level / 10, **window))
    desk.service.look_after()
    desk.clock.advance(86_400.0)
    desk.service.look_after()
    desk.service.look_after()
    assert [alert.event for alert in desk.published] == [Event.OPENED, Event.CHANGED, Event.CHANGED, Event.RESOLVED]
    assert len({alert.incident_id for alert in desk.published}) == 1
    desk.service.level_reached(BudgetLevel(level=50, used_usd=5.0, **{**window, "window": "2026-08-02"}))
    assert desk.last.event is Event.OPENED
