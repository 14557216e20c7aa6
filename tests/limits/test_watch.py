"""Less than was declared: told when it is measured, over when it is given again, declared anew or gone."""

from __future__ import annotations

from typing import Any, Final

import pytest

from mediarelay.limits.contract import LimitReport
from mediarelay.limits.gcra import LimitState
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.watch import LimitWatch
from tests.doubles.clock import EPOCH
from tests.doubles.health import MemoryLimitReports

P: Final = "openai-tts"
LATER: Final = EPOCH + 100.0


def holding(rate: float, **fields: Any) -> LimitState:
    return LimitState(pace=LearnedRate(rate, EPOCH, rate, 0, EPOCH, **fields))


class Minutes:
    """What the sweep sees, minute by minute; `said` is every report that was written."""

    def __init__(self) -> None:
        self.states: dict[str, LimitState] = {}
        self.rates = {"openai": {"a": 600.0, "b": 600.0}}
        self.reports = MemoryLimitReports()
        self.said: list[LimitReport] = []
        self.vendors = {P: "openai"}
        self._now = LATER

    def look(self, provider: str, runs: Any) -> dict[str, LimitState]:
        assert provider == P
        return {name: state for name, state in self.states.items() if runs[0][0] <= name <= runs[0][-1]}

    def load(self) -> Any:
        return self.reports.load()

    def save(self, report: LimitReport) -> None:
        self.said.append(report)
        self.reports.save(report)

    def pass_by(self) -> list[str]:
        """Look twice. Returns how each report says that it stands."""
        before = len(self.said)
        for _ in range(2):
            limits: Any = self
            LimitWatch(self.vendors, limits, limits).look(self.rates, self._now)
            self._now += 60.0
        return [report.status for report in self.said[before:]]


@pytest.fixture
def minutes() -> Minutes:
    return Minutes()


@pytest.fixture
def lower(minutes: Minutes) -> Minutes:
    minutes.states = {"a": holding(5.0), "b": holding(10.0)}
    assert minutes.pass_by() == ["limit_lower_than_declared"]
    return minutes


def test_a_lower_limit_is_told_once_with_both_numbers(lower: Minutes) -> None:
    (report,) = lower.said
    (one,) = report.lower
    assert (one.account, one.declared_per_minute, one.measured_per_minute) == ("a", 600.0, 300.0)
    assert lower.pass_by() == []


@pytest.mark.parametrize(
    "state",
    [
        LimitState(),
        holding(9.2),
        holding(5.0, before=10.0, hold=600.0),
        LimitState(pace=LearnedRate(5.0, EPOCH - 300.0, 5.0, 0, EPOCH - 300.0, before=10.0)),
        LimitState(pace=LearnedRate(10.0, EPOCH, None, 0, EPOCH, proven=9.5)),
        LimitState(pace=LearnedRate(8.0, EPOCH, None, 0, EPOCH, proven=4.0)),
    ],
    ids=[
        "nothing was refused",
        "about what was declared",
        "a cut on trial",
        "a cut that no test has met yet",
        "a test above nearly all of it",
        "a test that goes well",
    ],
)
def test_what_is_as_declared_or_not_known_yet_says_nothing(minutes: Minutes, state: LimitState) -> None:
    minutes.states = {"a": state}
    assert minutes.pass_by() == []


def test_a_limit_that_moves_a_little_or_is_tried_again_goes_on_as_it_was_told(lower: Minutes) -> None:
    for state in (holding(5.3), holding(9.2), holding(4.0, before=5.0, hold=600.0)):
        lower.states["a"] = state
        assert lower.pass_by() == []


@pytest.mark.parametrize(
    "pace", [LearnedRate(9.4, EPOCH, 9.9, 0, EPOCH), LearnedRate(10.0, EPOCH, None, 0, EPOCH, proven=5.0)]
)
def test_it_is_over_when_the_vendor_gives_what_is_declared(lower: Minutes, pace: LearnedRate) -> None:
    lower.states["a"] = LimitState(pace=pace)
    assert lower.pass_by() == ["as_declared"]
    assert lower.said[-1].reason == "the vendor gives what is declared"


def test_a_declaration_that_is_still_too_high_is_a_new_incident_and_one_that_is_right_is_none(lower: Minutes) -> None:
    lower.rates = {"openai": {"a": 480.0, "b": 600.0}}
    assert lower.pass_by() == ["as_declared", "limit_lower_than_declared"]
    lower.rates = {"openai": {"a": 300.0, "b": 600.0}}
    assert lower.pass_by() == ["as_declared"]
    assert lower.said[-1].reason == "it is declared anew, or gone"


def test_it_is_over_when_the_account_the_declaration_or_the_provider_is_gone(lower: Minutes) -> None:
    lower.rates = {"openai": {"b": 600.0}}
    assert lower.pass_by() == ["as_declared"]
    lower.rates = {"openai": {"a": 600.0}}
    assert lower.pass_by() == ["limit_lower_than_declared"]
    lower.rates = {"openai": {}}
    assert lower.pass_by() == ["as_declared"]
    lower.rates = {"openai": {"a": 600.0}}
    assert lower.pass_by() == ["limit_lower_than_declared"]
    lower.vendors = {}
    assert lower.pass_by() == ["as_declared"]


def test_one_limit_above_all_accounts_is_told_of_all_of_them(minutes: Minutes) -> None:
    minutes.states = {"*": holding(8.0), "a": holding(10.0), "b": holding(10.0)}
    assert minutes.pass_by() == ["limit_lower_than_declared"]
    assert [(one.account, one.declared_per_minute) for one in minutes.said[0].lower] == [("*", 1200.0)]
