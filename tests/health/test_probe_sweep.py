"""The minute sweep: who is probed, what a probe may restore, and pools that cool as a whole."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mediarelay.health.aggregate import AggregateService
from mediarelay.health.circuit.record import Circuit
from mediarelay.health.contract import HealthRecord
from mediarelay.health.incident import Event
from mediarelay.health.judgement import Status
from mediarelay.health.probe_sweep import KeyStores, Prober, ProbeService, Telling
from mediarelay.health.records import fresh_record
from mediarelay.health.thresholds import DEFAULT
from mediarelay.http.messages import HttpRequest
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.providers.listing import base_urls
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable
from tests.builders.dice import dice
from tests.builders.keys import keys
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.health import MemoryAlertPath, MemoryBuckets, MemoryHealth, MemoryOverrides, MemoryPools
from tests.doubles.keys import FixedKeys, MemoryKeyStates
from tests.doubles.recording import MemoryCounters
from tests.doubles.trouble import Flaky

NAMES = ("openai-tts", "elevenlabs-tts", "fal-flux")


@dataclass
class Answer:
    status: int = 200
    body: Any = field(default_factory=lambda: {"data": []})
    headers: Mapping[str, str] = field(default_factory=dict)

    def read(self, limit: int) -> bytes:
        return json.dumps(self.body).encode()[:limit]


class Sweep:
    def __init__(self, *enabled: str) -> None:
        self.clock = ManualClock()
        self.records = MemoryHealth()
        self.states = MemoryKeyStates()
        self.pools = MemoryPools()
        self.overrides = MemoryOverrides()
        self.alert_path = MemoryAlertPath()
        self.looked: list[list[str]] = []
        self.limits_of: list[list[str]] = []
        self.kept: list[list[str]] = []
        self.ahead: list[StoreUnavailable] = []
        self.answers: dict[str, Answer] = {}
        self.probed: list[str] = []
        providers = {name: ALL_PROVIDERS[name] for name in NAMES}
        aggregate = AggregateService(
            MemoryBuckets(), self.records, limits=lambda *_: DEFAULT, clock=self.clock, rng=dice()
        )
        self.counters = MemoryCounters()
        self.keys = keys(openai=1, elevenlabs=1, fal=1)
        self.source = FixedKeys(self.keys)
        http: Any = self
        self.service = ProbeService(
            aggregate,
            self.records,
            KeyStores(self.source, self.states, self.pools),
            self.overrides,
            Telling(self.alert_path, self.look_ahead, self.look_at_limits, self.keep_series, self.counters),
            Prober(providers, http, base_urls=base_urls({}, {}), clock=self.clock, enabled=enabled),
            self.clock,
        )

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[Any]:
        assert (request.method, bool(request.headers), deadline > self.clock.now()) == ("GET", True, True)
        self.probed.append(request.path)
        answer = self.answers.get(request.path, Answer())
        if answer.status == 0:
            raise Unreachable("connect_failed", f"no connection to {request.base_url}", sent=False)
        yield answer

    def look_ahead(self, vendors: Collection[str], beside: Any, now: float) -> None:
        del beside, now
        for error in self.ahead:
            raise error
        self.looked.append(sorted(vendors))

    def look_at_limits(self, keys: Mapping[str, Any], now: float) -> None:
        assert now == self.clock.now()
        self.limits_of.append(sorted(keys))

    def keep_series(self, providers: Collection[str], now: float) -> None:
        assert now == self.clock.now()
        self.kept.append(list(providers))

    def run(self, *, after: float = 0.0) -> None:
        self.clock.advance(after)
        self.probed.clear()
        self.service.sweep()

    def record(self, name: str = "openai-tts") -> HealthRecord:
        found = self.records.get(name)
        assert found is not None
        return found

    def take_down(self) -> None:
        fresh = fresh_record("openai-tts", now=EPOCH)
        incident = fresh.incident.next("openai-tts", Status.DOWN, now=EPOCH)
        down = {"status": Status.DOWN, "circuit": Circuit(EPOCH, EPOCH + 30, 1), "incident": incident}
        assert self.records.save(fresh.model_copy(update=down))

    def verdict(self, vendor: str, status: KeyStatus, until: float | None) -> KeyVerdict:
        entry = self.keys[vendor][0].entry
        account = entry.account or entry.key_id
        return KeyVerdict(vendor, entry.key_id, account, None, status, until, 1, "said_so", EPOCH - 120, spreads=False)

    def status(self, vendor: str) -> list[KeyStatus]:
        return [verdict.status for verdict in self.states.load(vendor)]


@pytest.fixture
def sweep() -> Sweep:
    return Sweep()


def test_each_sweep_keeps_the_series_of_every_provider_even_without_keys() -> None:
    sweep = Sweep()
    sweep.source.keys = {}
    sweep.run()
    assert sweep.kept == [list(NAMES)]


def test_idle_providers_are_probed_now_and_then_where_the_vendor_has_a_free_call(sweep: Sweep) -> None:
    sweep.run()
    assert sorted(sweep.probed) == ["/models", "/v1/user/subscription"]
    sweep.run(after=60)
    assert sweep.probed == []
    sweep.run(after=300)
    assert len(sweep.probed) == 2


def test_a_provider_that_is_down_and_then_idle_recovers_through_a_probe_with_no_traffic(sweep: Sweep) -> None:
    sweep.take_down()
    sweep.answers["/models"] = Answer(503, {"error": {"code": "server_is_overloaded"}})
    sweep.run(after=60)
    assert "/models" not in sweep.probed  # a trial is due; whoever sends a request may make it
    sweep.run(after=60)
    assert sweep.record().circuit.ejections == 2
    del sweep.answers["/models"]
    sweep.run(after=200)
    found = sweep.record()
    assert (found.status, found.circuit.is_open, found.reason) == (Status.IDLE, False, "a probe succeeded")
    assert found.incident.notice is not None
    assert found.incident.notice.event is Event.RESOLVED


def test_a_vendor_that_cannot_be_reached_stays_down(sweep: Sweep) -> None:
    sweep.take_down()
    sweep.answers["/models"] = Answer(0)
    sweep.run(after=120)
    assert (sweep.record().status, sweep.record().reason) == (Status.DOWN, "a probe failed")


def test_every_sweep_sends_a_beat_along_the_way_of_the_alerts(sweep: Sweep) -> None:
    sweep.run()
    sweep.run(after=60)
    assert sweep.alert_path.beats == [EPOCH, EPOCH + 60]


def test_a_rejected_key_is_checked_when_it_is_due_and_returns(sweep: Sweep) -> None:
    sweep.states.save(sweep.verdict("openai", KeyStatus.REJECTED, EPOCH + 300))
    sweep.run()
    assert sweep.probed == ["/v1/user/subscription"]
    sweep.run(after=300)
    assert sweep.status("openai") == [KeyStatus.ACTIVE]


def test_a_key_that_is_still_refused_waits_longer(sweep: Sweep) -> None:
    sweep.answers["/models"] = Answer(401, {"error": {"code": "invalid_api_key"}})
    sweep.states.save(sweep.verdict("openai", KeyStatus.REJECTED, EPOCH))
    sweep.run()
    (verdict,) = sweep.states.load("openai")
    assert (verdict.status, verdict.strikes, verdict.until) == (KeyStatus.REJECTED, 2, EPOCH + 600)


def test_a_probe_never_restores_a_key_whose_balance_is_empty(sweep: Sweep) -> None:
    sweep.answers["/v1/user/subscription"] = Answer(body={"character_count": 100, "character_limit": 100})
    sweep.states.save(sweep.verdict("elevenlabs", KeyStatus.REJECTED, EPOCH))
    sweep.states.save(replace(sweep.verdict("openai", KeyStatus.EXHAUSTED, EPOCH + 9999)))
    sweep.run()
    assert sweep.status("elevenlabs") == [KeyStatus.EXHAUSTED]
    assert sweep.status("openai") == [KeyStatus.EXHAUSTED]


def test_a_pool_that_cools_for_a_minute_is_written_once_and_so_is_its_end(sweep: Sweep) -> None:
    sweep.run()
    assert sweep.pools.load()["fal"].status == "usable"
    sweep.states.save(sweep.verdict("fal", KeyStatus.COOLING, EPOCH + 100))
    sweep.run(after=10)
    cooling = sweep.pools.load()["fal"]
    assert (cooling.status, cooling.usable, cooling.since) == ("cooling", 0, EPOCH - 120)
    sweep.run(after=10)
    assert sweep.pools.load()["fal"] is cooling
    sweep.run(after=100)
    assert sweep.pools.load()["fal"].status == "usable"


def test_a_vendor_whose_entry_is_wrong_is_told_of_and_the_others_are_seen_to(sweep: Sweep) -> None:
    sweep.source.keys = {vendor: held for vendor, held in sweep.keys.items() if vendor != "fal"}
    sweep.source.wrong = {"fal": "FAL_KEYS[1]: weight: Input should be greater than 0"}
    sweep.run()
    wrong = sweep.pools.load()["fal"]
    assert (wrong.status, wrong.fault) == ("unreadable", "FAL_KEYS[1]: weight: Input should be greater than 0")
    assert sorted(sweep.probed) == ["/models", "/v1/user/subscription"]
    sweep.run(after=60)
    assert sweep.pools.load()["fal"] is wrong
    sweep.source.keys, sweep.source.wrong = sweep.keys, {}
    sweep.run(after=60)
    assert (sweep.pools.load()["fal"].status, sweep.pools.load()["fal"].since) == ("usable", wrong.since)


def test_what_was_wrong_and_is_gone_altogether_is_told_as_over(sweep: Sweep) -> None:
    sweep.source.wrong = {"OPENAI_SERVERS": "OPENAI_SERVERS[0]: name is missing"}
    sweep.run()
    assert sweep.pools.load()["OPENAI_SERVERS"].status == "unreadable"
    away: Any = Flaky(sweep.source, "load", times=1)
    sweep.service._source = away
    sweep.source.wrong = {}
    with pytest.raises(StoreUnavailable):
        sweep.run(after=60)
    assert sweep.pools.load()["OPENAI_SERVERS"].status == "unreadable", "nobody knows what is wrong now"
    sweep.run(after=60)
    assert sweep.pools.load()["OPENAI_SERVERS"].status == "usable"


def test_without_the_keys_the_providers_are_still_judged(sweep: Sweep) -> None:
    away: Any = Flaky(sweep.source, "load", times=1)
    sweep.service._source = away
    with pytest.raises(StoreUnavailable):
        sweep.run()
    assert sweep.counters.counts == [("SecretUnreadable", {})]
    assert {sweep.record(name).provider for name in NAMES} == set(NAMES)


def test_a_vendor_without_credentials_is_neither_probed_nor_reported(sweep: Sweep) -> None:
    sweep.source.keys = keys(openai=1)
    for _ in range(3):
        sweep.run(after=300)
        assert sweep.probed == ["/models"]
    assert sweep.pools.load().keys() == {"openai"}
    record = sweep.record("elevenlabs-tts")
    assert (record.status, record.probed_at, record.incident.notice) == (Status.IDLE, 0.0, None)


def test_it_looks_ahead_with_who_has_keys(sweep: Sweep) -> None:
    sweep.run()
    assert sweep.looked == [["elevenlabs", "fal", "openai"]]


def test_where_keys_cannot_be_read_nothing_is_said_to_end(sweep: Sweep) -> None:
    sweep.source.keys = {}
    sweep.run()
    assert sweep.looked == []


def test_a_look_ahead_that_fails_stops_nothing_else(sweep: Sweep) -> None:
    sweep.ahead.append(StoreUnavailable("telemetry table", "read capabilities", "away"))
    with pytest.raises(StoreUnavailable):
        sweep.run()
    assert sweep.alert_path.beats
    assert sweep.probed


# --- subjects that are gone -----------------------------------------------------------------------------------------


def told(sweep: Sweep) -> list[str]:
    notices = [after.incident.notice for _, after in sweep.records.changes if after.incident.notice]
    return [notice.event for number, notice in enumerate(notices) if notice not in notices[:number]]


def closed_as(sweep: Sweep) -> str:
    """The reason in the write that tells of an end."""
    ends = [after for _, after in sweep.records.changes if after.incident.notice and after.incident.id is None]
    return ends[0].reason


def test_a_provider_whose_keys_are_removed_while_it_is_down_is_no_longer_watched(sweep: Sweep) -> None:
    sweep.take_down()
    sweep.source.keys = {vendor: held for vendor, held in sweep.keys.items() if vendor != "openai"}
    sweep.run()
    found = sweep.record()
    assert (found.status, found.circuit.is_open, closed_as(sweep)) == (Status.IDLE, False, "no longer watched")
    sweep.run(after=60)
    assert told(sweep) == [Event.OPENED, Event.RESOLVED]


@pytest.mark.parametrize("name", ["openai-tts", "of-a-server-that-was-removed"])
def test_a_provider_that_is_disabled_or_unknown_is_no_longer_watched(name: str) -> None:
    sweep = Sweep("elevenlabs-tts")
    sweep.take_down()
    if name != "openai-tts":
        sweep.records.save(sweep.record().model_copy(update={"provider": name, "version": 0}))
    sweep.run()
    assert sweep.record(name).incident.id is None
    assert closed_as(sweep) == "no longer watched"


def test_where_keys_cannot_be_read_or_an_entry_is_wrong_nobody_is_forgotten(sweep: Sweep) -> None:
    sweep.take_down()
    rejected = sweep.verdict("openai", KeyStatus.REJECTED, EPOCH + 900)
    sweep.states.save(rejected)
    sweep.source.keys = {}
    sweep.run()
    sweep.source.keys = {vendor: held for vendor, held in sweep.keys.items() if vendor != "openai"}
    sweep.source.wrong = {"openai": "OPENAI_API_KEYS[0]: weight: no"}
    sweep.run(after=10)
    assert sweep.record().incident.id is not None
    assert sweep.states.load("openai") == [rejected]


@pytest.mark.parametrize("spreads", [False, True])
@pytest.mark.parametrize("vendor_stays", [False, True])
def test_a_key_or_account_that_was_replaced_is_no_longer_watched(
    sweep: Sweep, *, spreads: bool, vendor_stays: bool
) -> None:
    sweep.run()
    gone = replace(sweep.verdict("openai", KeyStatus.REJECTED, EPOCH + 900), key_id="0123456789ab", account="old")
    sweep.states.save(replace(gone, spreads=spreads))
    if not vendor_stays:
        sweep.source.keys = {vendor: held for vendor, held in sweep.keys.items() if vendor != "openai"}
    sweep.run(after=60)
    (verdict,) = sweep.states.load("openai")
    assert (verdict.status, verdict.code, verdict.until) == (KeyStatus.ACTIVE, "no_longer_watched", None)


def test_a_pool_of_rejected_keys_is_unusable_until_one_has_served(sweep: Sweep) -> None:
    sweep.run()
    sweep.states.save(sweep.verdict("fal", KeyStatus.REJECTED, EPOCH + 100))
    states = []
    for _ in range(24 * 6):
        sweep.run(after=600)
        states.append(sweep.pools.load()["fal"])
    assert {state.at for state in states} == {states[0].at}
    assert states[0].status == "cooling"
    cleared = replace(sweep.verdict("fal", KeyStatus.ACTIVE, None), observed_at=sweep.clock.now())
    sweep.states.save(cleared)
    sweep.run(after=60)
    assert sweep.pools.load()["fal"].status == "usable"


def test_the_pool_of_a_vendor_that_was_removed_is_no_longer_watched(sweep: Sweep) -> None:
    sweep.states.save(sweep.verdict("fal", KeyStatus.COOLING, EPOCH + 1e6))
    sweep.run()
    assert sweep.pools.load()["fal"].status == "cooling"
    sweep.source.keys = {vendor: held for vendor, held in sweep.keys.items() if vendor != "fal"}
    sweep.run(after=60)
    gone = sweep.pools.load()["fal"]
    assert (gone.status, gone.keys, gone.members) == ("usable", 0, [])
    sweep.run(after=60)
    assert sweep.pools.load()["fal"] is gone
