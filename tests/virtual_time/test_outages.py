"""The shipped services in virtual time: a day of noise, outages, flapping, and the first seconds of an outage."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

from tests.builders.dice import dice
from tools.simulation.aws.telemetry import STREAM_SECONDS
from tools.simulation.report import report_of
from tools.simulation.scenario import read_scenario
from tools.simulation.vendors.wire import CallMade
from tools.simulation.world import Run

OURS, OTHER, THIRD = "openai-tts", "elevenlabs-tts", "deepgram-tts"
NOBODY_LIMITS = {"accounts": [{"repeat": 1, "rpm": None}], "vendor": {"limit": "none"}}
POOLS = dict.fromkeys(("openai", "elevenlabs", "deepgram"), NOBODY_LIMITS)
DAY = 86_400.0


def ran(**fields: Any) -> Run:
    given = {"providers": [OURS, OTHER, THIRD], "pools": POOLS, "service": {"median": 0.4}, "measure_from": 0}
    run = Run(read_scenario(json.dumps({**given, **fields})))
    run.run()
    return run


def broken(start: float, end: float, share: float = 1.0, provider: str = OURS) -> dict[str, Any]:
    return {"from": start, "to": end, "provider": provider, "answer": "500", "share": share}


def told(run: Run, provider: str = OURS) -> list[str]:
    return [each["event"] for each in run.book.alerts if each["subject"] == f"provider:{provider}"]


def thorough(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--hypothesis-profile") == "thorough")


# --- the first seconds ----------------------------------------------------------------------------------------------

BEGIN, FOR = 30.0, 90.0


def outage_of(workers: int, seed: int, seconds: float) -> Run:
    return ran(
        seed=seed,
        seconds=seconds,
        workers=workers,
        arrivals=[{"rate": 20, "pattern": "even"}],
        faults=[broken(BEGIN, BEGIN + FOR)],
    )


def reached(run: Run) -> Sequence[CallMade]:
    """Calls that the provider got within 20 s after its first fault had come back."""
    ours = [call for call in run.wire.calls if call.provider == OURS and call.at >= BEGIN]
    known = min(call.ended for call in ours)
    return [call for call in ours if known <= call.at < known + 20]


@pytest.fixture(params=[(1, 3), (4, 6)], ids=["one worker", "four workers"], scope="module")
def outage(request: pytest.FixtureRequest) -> tuple[Run, int]:
    workers, allowed = request.param
    return outage_of(workers, seed=1, seconds=180), allowed


def test_at_most_a_handful_of_calls_reach_a_provider_that_fails(outage: tuple[Run, int]) -> None:
    run, allowed = outage
    assert sum(call.provider == OURS and call.at >= BEGIN for call in run.wire.calls) > 3  # those under way, and trials
    assert len(reached(run)) <= allowed


def test_no_request_fails_to_its_publisher(outage: tuple[Run, int]) -> None:
    run, _ = outage
    report = report_of(run)
    assert report["succeeded"] == report["published"] == report["purchases"] >= 3600


def test_down_is_told_within_five_seconds_and_resolved_once(outage: tuple[Run, int]) -> None:
    run, _ = outage
    assert told(run) == ["opened", "resolved"]
    assert BEGIN <= run.book.alerts[0]["at"] <= BEGIN + 5


def test_until_it_is_closed_one_trial_is_made_at_a_time(outage: tuple[Run, int]) -> None:
    run, _ = outage
    opened, resolved = (each["at"] for each in run.book.alerts)
    closed = resolved - STREAM_SECONDS  # told so much later than it was written
    trials = sorted(
        (call.at, call.ended) for call in run.wire.calls if call.provider == OURS and opened < call.at < closed
    )
    assert len(trials) >= 3
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(trials))


def test_after_it_has_healed_it_is_the_first_choice_again(outage: tuple[Run, int]) -> None:
    run, _ = outage
    late = Counter(call.provider for call in run.wire.calls if call.at > 170)
    assert late[OURS] > 0.9 * late.total()


@pytest.mark.parametrize(("workers", "allowed"), [(1, 3), (4, 6)])
@pytest.mark.parametrize("seed", [101, 102, 103])
def test_the_same_holds_for_other_dice(workers: int, allowed: int, seed: int) -> None:
    run = outage_of(workers, seed, seconds=52)
    assert len(reached(run)) <= allowed
    assert report_of(run)["failed"] == 0


# --- a day ----------------------------------------------------------------------------------------------------------


def test_a_day_of_noise_and_a_daily_swell_of_latency_is_no_news(request: pytest.FixtureRequest) -> None:
    """`make test` runs some hours of it: the noise is the same at any hour."""
    day = DAY if thorough(request) else DAY / 16
    run = ran(
        seconds=day,
        workers=2,
        strategy="fastest",
        providers=[OURS, OTHER],
        service={"median": 1.0, "p99": 2.0, "noon": 3.5},
        arrivals=[{"rate": 0.2}],
        faults=[broken(0, day + 900, 0.02, name) for name in (OURS, OTHER)],
    )
    report = report_of(run)
    assert report["alerts"] == []
    assert report["succeeded"] == report["published"]
    faults = sum(call.status == 500 for call in run.wire.calls)
    assert faults / len(run.wire.calls) == pytest.approx(0.02, rel=0.15 if thorough(request) else 0.5)


def test_outages_are_opened_and_resolved_once_each(request: pytest.FixtureRequest) -> None:
    rng, spans, moment = dice(7), [], 600.0
    for _ in range(20 if thorough(request) else 2):
        length = rng.uniform(60, 600)
        spans.append((moment, moment + length))
        moment += length + rng.uniform(900, 1800)
    noise = [broken(0, moment, 0.002)]
    run = ran(
        seconds=moment,
        providers=[OURS, OTHER],
        workers=1,
        arrivals=[{"rate": 0.5}],
        faults=[broken(*span) for span in spans] + noise,
    )
    assert told(run) == ["opened", "resolved"] * len(spans)
    assert told(run, OTHER) == []
    opened = [each["at"] for each in run.book.alerts if each["event"] == "opened"]
    assert all(start <= at <= start + 60 for at, (start, _) in zip(opened, spans, strict=True))
    assert report_of(run)["succeeded"] == report_of(run)["published"]


@pytest.mark.parametrize(("half", "rate"), [(20.0, 1.0), (60.0, 0.5), (200.0, 0.25)])
def test_flaps_are_few_messages(half: float, rate: float, request: pytest.FixtureRequest) -> None:
    """Fifteen requests or more in each up and each down; the first few are told, before it is known as flapping."""
    count = 200 if thorough(request) else 12
    flaps = [broken(300 + 2 * half * number, 300 + 2 * half * number + half) for number in range(count)]
    healed = flaps[-1]["to"] + half
    run = ran(
        seconds=healed + 3600,
        providers=[OURS, OTHER],
        workers=1,
        # That it stays well takes an hour, and not many requests.
        arrivals=[{"rate": rate, "pattern": "even", "to": healed}, {"rate": 0.05, "pattern": "even", "from": healed}],
        faults=flaps,
    )
    assert 2 <= len(run.book.alerts) <= max(10, count // 10)
    assert told(run)[-1] == "resolved"
