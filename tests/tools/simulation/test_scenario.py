"""The scenario file: its defaults, what is refused and how, and what is drawn from it."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from tests.builders.dice import dice
from tools.simulation.__main__ import main
from tools.simulation.arrivals import moments, requests_of, seconds
from tools.simulation.scenario import Arrivals, Scenario, Service, UnusableScenario, read_scenario

SCENARIOS = sorted((Path(__file__).parents[2] / "virtual_time" / "scenarios").glob("*.json"))


def arrivals(**fields: object) -> Arrivals:
    return Arrivals.model_validate(fields)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_of_the_suite_can_be_read(path: Path) -> None:
    assert read_scenario(path.read_text(encoding="utf-8")).name


def test_what_is_left_out_has_the_value_that_the_page_names() -> None:
    scenario = read_scenario("{}")
    (account,), vendor = scenario.pools["openai"].accounts, scenario.pools["openai"].vendor
    assert (scenario.seconds, scenario.workers, scenario.measure_from, scenario.drain_seconds) == (120, 16, 10, 900)
    assert (account.keys, account.repeat, account.rpm, account.burst) == (1, 5, 600, None)
    assert (vendor.limit, vendor.per, vendor.rate, vendor.burst, vendor.wait) == (
        "token_bucket",
        "account",
        5.0,
        20,
        "right",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Invalid JSON"),
        ("[]", "object"),
        ('{"wrokers": 3}', "wrokers"),
        ('{"arrivals": [{"ratee": 1}]}', "arrivals.0.ratee"),
        ('{"seconds": -1}', "seconds"),
        ('{"providers": ["nobody-tts"]}', "'nobody-tts' is no provider"),
        ('{"kind": "image"}', "openai-tts serves tts, not image"),
        ('{"pools": {}}', "openai-tts needs a pool of openai"),
        ('{"pools": {"openai": {}, "acme": {}}}', "'acme' is no vendor"),
        ('{"arrivals": [{"pattern": "bursts"}]}', "bursts need size or every"),
        ('{"service": {"median": 2, "p99": 1}}', "p99 is below the median"),
        ('{"changes": [{"at": 1, "vendor": "openai"}]}', "a change has one of"),
        ('{"faults": [{"provider": "openai-tts", "answer": "nonsense"}]}', "neither a status nor a recorded answer"),
        ('{"measure_from": 120}', "measure_from is not before seconds"),
        ('{"pools": {"openai": {"accounts": [{"rpm": null}], "vendor": {"rate": null}}}}', "declares none"),
        ('{"pools": {"openai": {"vendor": {"limit": "concurrency"}}}}', "how many calls at once"),
    ],
)
def test_a_file_that_describes_no_run_is_refused_in_one_line(
    text: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UnusableScenario, match=reason) as refused:
        read_scenario(text)
    file = tmp_path / "scenario.json"
    file.write_text(text)
    assert main([str(file)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [f"{file}: {refused.value}"]


def test_what_no_secret_may_say_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "scenario.json"
    file.write_text('{"pools": {"openai": {"accounts": [{"rpm": 1e9}]}}}')
    assert main([str(file)]) == 2
    told = capsys.readouterr()
    assert (told.out, len(told.err.splitlines())) == ("", 1)
    assert "rpm" in told.err


def test_a_file_that_is_not_there_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere.json"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_even_and_poisson_arrivals_come_at_their_rate() -> None:
    even = list(moments(arrivals(**{"from": 10, "rate": 4, "pattern": "even"}), 20.0, dice(1)))
    assert even == [10 + number / 4 for number in range(40)]
    poisson = list(moments(arrivals(rate=50), 100.0, dice(1)))
    assert len(poisson) == pytest.approx(5000, rel=0.05)
    gaps = [later - earlier for earlier, later in pairwise(poisson)]
    assert sum(gap * gap for gap in gaps) / len(gaps) == pytest.approx(2 / 50**2, rel=0.15)


def test_a_burst_comes_at_once() -> None:
    both = list(moments(arrivals(rate=1, pattern="bursts", size=3, every=10), 25.0, dice(1)))
    assert both == [0.0] * 3 + [10.0] * 3 + [20.0] * 3
    assert list(moments(arrivals(rate=2, pattern="bursts", every=5), 10.0, dice(1))) == [0.0] * 10 + [5.0] * 10
    assert list(moments(arrivals(rate=2, pattern="bursts", size=4), 4.0, dice(1))) == [0.0] * 4 + [2.0] * 4


def test_calls_take_as_long_as_their_median_and_p99_say() -> None:
    drawing = dice(1)
    drawn = sorted(seconds(Service(median=2.0, p99=60.0), drawing) for _ in range(20_000))
    assert drawn[10_000] == pytest.approx(2.0, rel=0.05)
    assert drawn[19_800] == pytest.approx(60.0, rel=0.1)
    assert drawn[-1] <= 120.0
    assert seconds(Service(median=0.3), drawing) == 0.3


def test_the_same_seed_draws_the_same_requests_and_another_one_others() -> None:
    one = Scenario.model_validate({"arrivals": [{"rate": 20}, {"rate": 5, "tenant": "acme", "timeout": 60}]})
    assert requests_of(one) == requests_of(one)
    assert requests_of(one) != requests_of(one.model_copy(update={"seed": 2}))
    found = requests_of(one)
    assert [each.at for each in found] == sorted(each.at for each in found)
    assert {each.tenant for each in found} == {None, "acme"}
    acme = next(each for each in found if each.tenant)
    assert math.isclose(acme.expires_at - acme.at, 60.0)
    assert json.loads(acme.body)["timeout_seconds"] == 60
