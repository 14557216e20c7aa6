"""The shipped core in virtual time: a day of noise, outages, flapping, and the first seconds of an outage."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import settings

from mediarelay.health.incident import Event
from tests.builders.dice import dice
from tests.doubles.clock import EPOCH
from tools.virtual_fleet.fleet import Fleet
from tools.virtual_fleet.providers import Behaviour, steady, swelling

DAY = 86_400.0
OUTAGES = 10 if settings.default.max_examples <= 100 else 20


def alternatives(count: int = 2) -> dict[str, Behaviour]:
    return {f"other-{number}": Behaviour(steady(0.5 + number / 10)) for number in range(count)}


def events(fleet: Fleet, provider: str = "ours") -> list[Event]:
    return [notice.event for name, notice in fleet.telemetry.notices if name == provider]


# --- the first seconds ----------------------------------------------------------------------------------------------

BEGIN, FOR = 120.0, 90.0


@pytest.fixture(params=[(1, 3), (4, 6)], ids=["one worker", "four workers"], scope="module")
def outage(request: pytest.FixtureRequest) -> tuple[Fleet, int]:
    workers, allowed = request.param
    ours = Behaviour(steady(0.4), outages=[(BEGIN, BEGIN + FOR)])
    fleet = Fleet({"ours": ours, **alternatives()}, rate=20, workers=workers)
    fleet.run(360)
    return fleet, allowed


def first_fault_back(fleet: Fleet) -> float:
    return min(call.ended for call in fleet.calls if call.provider == "ours" and call.started >= BEGIN)


def test_at_most_a_handful_of_calls_reach_a_provider_that_fails(outage: tuple[Fleet, int]) -> None:
    fleet, allowed = outage
    known = first_fault_back(fleet)
    more = [call for call in fleet.calls if call.provider == "ours" and known <= call.started < known + 20]
    assert 0 < len(more) <= allowed


def test_no_request_fails_to_its_publisher(outage: tuple[Fleet, int]) -> None:
    fleet, _ = outage
    assert (fleet.failed, fleet.delivered > 7000) == (0, True)


def test_down_is_told_within_five_seconds_and_resolved_once(outage: tuple[Fleet, int]) -> None:
    fleet, _ = outage
    assert events(fleet) == [Event.OPENED, Event.RESOLVED]
    assert fleet.telemetry.notices[0][1].at - EPOCH <= first_fault_back(fleet) + 5


def test_until_it_is_closed_one_trial_is_made_at_a_time(outage: tuple[Fleet, int]) -> None:
    fleet, _ = outage
    opened, resolved = (notice.at - EPOCH for _, notice in fleet.telemetry.notices)
    trials = sorted(
        (call.started, call.ended)
        for call in fleet.calls
        if call.provider == "ours" and opened < call.started < resolved
    )
    assert len(trials) >= 3
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(trials))


def test_after_it_has_healed_it_gets_its_share_again(outage: tuple[Fleet, int]) -> None:
    fleet, _ = outage
    late = Counter(call.provider for call in fleet.calls if call.started > 300)
    assert late["ours"] > 0.4 * sum(late.values())


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_the_same_holds_for_other_dice(workers: int, seed: int) -> None:
    ours = Behaviour(steady(0.4), outages=[(BEGIN, BEGIN + FOR)])
    fleet = Fleet({"ours": ours, **alternatives()}, rate=20, workers=workers, seed=seed + 100)
    fleet.run(150)
    known = first_fault_back(fleet)
    more = [call for call in fleet.calls if call.provider == "ours" and known <= call.started < known + 20]
    assert len(more) <= (3 if workers == 1 else 6)
    assert fleet.failed == 0


# --- a day ----------------------------------------------------------------------------------------------------------


def test_a_day_of_noise_and_a_daily_swell_of_latency_is_no_news() -> None:
    ours = Behaviour(swelling(1.0, 3.5), noise=0.02)
    other = Behaviour(swelling(1.2, 4.0), noise=0.02)
    fleet = Fleet({"ours": ours, "other": other}, rate=0.5, workers=2, delay=2, every=10)
    fleet.run(DAY)
    assert fleet.telemetry.notices == []
    assert fleet.failed == 0
    faults = sum(call.outcome != "delivered" for call in fleet.calls)
    assert faults / len(fleet.calls) == pytest.approx(0.02, rel=0.1)


def test_outages_are_opened_and_resolved_once_each() -> None:
    rng = dice(7)
    spans, moment = [], 900.0
    for _ in range(OUTAGES):
        length = rng.uniform(60, 1800)
        spans.append((moment, moment + length))
        moment += length + rng.uniform(900, 2700)
    ours = Behaviour(steady(0.4), noise=0.002, outages=spans)
    fleet = Fleet({"ours": ours, **alternatives(1)}, rate=2.0, delay=2, every=5)
    fleet.run(moment)
    assert events(fleet) == [Event.OPENED, Event.RESOLVED] * OUTAGES
    assert events(fleet, "other-0") == []
    ids = Counter(notice.incident_id for _, notice in fleet.telemetry.notices)
    assert set(ids.values()) == {2}
    opened = [notice.at - EPOCH for _, notice in fleet.telemetry.notices if notice.event is Event.OPENED]
    assert all(start <= at <= start + 60 for at, (start, _) in zip(opened, spans, strict=True))
    assert fleet.failed == 0


@pytest.mark.parametrize(("half", "rate"), [(20.0, 1.0), (60.0, 0.5), (200.0, 0.25)])
def test_two_hundred_flaps_are_at_most_a_tenth_as_many_messages(half: float, rate: float) -> None:
    """Fifteen requests or more in each up and each down."""
    flaps = [(300 + 2 * half * number, 300 + 2 * half * number + half) for number in range(200)]
    ours = Behaviour(steady(0.4), outages=flaps)
    fleet = Fleet({"ours": ours, **alternatives(1)}, rate=rate, delay=2, every=min(10, half / 4))
    fleet.run(flaps[-1][1] + 3600)
    assert 0 < len(fleet.telemetry.notices) <= 20
    assert events(fleet)[-1] is Event.RESOLVED
