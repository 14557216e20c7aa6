"""The demo's outage, told over a stack that is played: what is shown, and what it complains of."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from mediarelay.alerts.contract import Alert
from mediarelay.health.circuit.record import CLOSED, Circuit
from mediarelay.health.contract import HealthRecord
from mediarelay.health.judgement import Status
from mediarelay.health.records import fresh_record
from mediarelay.vocabulary.outcome import Outcome
from tests.alerts.test_alerting import BACK, DOWN, WELL, Desk
from tools.local.demo import outage_story
from tools.local.demo.outage_story import _Story
from tools.local.outage.calls import ProviderCall
from tools.local.outage.drill import NothingCame

TRIALS = [ProviderCall(130.0, 130.05, Outcome.DELIVERED), ProviderCall(130.1, 130.2, Outcome.DELIVERED)]


@dataclass
class Play:
    """A drill, a subscriber by HTTP and one of results, in one; every look at it is a moment later."""

    alerts: list[tuple[float, Alert]] = field(default_factory=list)
    trials: list[ProviderCall] = field(default_factory=lambda: list(TRIALS))
    status_of_results: str = "succeeded"
    broken_since: int | None = None
    mended_since: int | None = None
    looks: int = 0
    swept: bool = False
    url: str = "http://127.0.0.1:1/alerts"

    def __post_init__(self) -> None:
        desk = Desk()
        desk.service.provider_changed(WELL, DOWN)
        desk.service.provider_changed(DOWN, BACK)
        self.opened, self.resolved = desk.published
        self._unread = [self.opened, self.resolved]

    # --- the drill ----------------------------------------------------------------------------------------------

    @contextmanager
    def traffic(self, name: str, *, per_second: float) -> Iterator[list[str]]:
        assert per_second > 0
        yield [f"{name}-{number}" for number in range(4)]

    @contextmanager
    def broken(self) -> Iterator[None]:
        self.broken_since = self.looks
        yield
        self.mended_since = self.looks

    def sweep(self) -> None:
        self.swept = True

    def warm(self, calls: int, *, patience: float) -> None:
        assert self.swept
        assert calls > 0
        assert patience > 0

    def until(self, what: str, condition: Callable[[], Any], *, patience: float) -> Any:
        for _ in range(20):
            self.looks += 1
            if found := condition():
                return found
        raise NothingCame(f"{what}: not in {patience:g} s")

    def record(self) -> HealthRecord | None:
        circuit = CLOSED if self.status() is Status.HEALTHY else Circuit(100.0, 130.0, 1)
        fields = {"status": self.status(), "circuit": circuit, "since": 140.0, "reason": "3 faults in a row"}
        return fresh_record("openai-tts", now=0.0).model_copy(update=fields)

    def status(self) -> Status:
        if self.mended_since is not None and self.looks > self.mended_since + 3:
            return Status.HEALTHY
        return Status.HEALTHY if self.broken_since is None else Status.DOWN

    def calls(self) -> list[ProviderCall]:
        faults = [ProviderCall(99.0, 99.1, Outcome.PROVIDER_FAULT)] * 3 if self.broken_since is not None else []
        return [*faults, *(self.trials if self.mended_since is not None else [])]

    def told(self, event: str) -> list[tuple[float, Alert]]:
        self.alerts += [(0.0, alert) for alert in (self.opened, self.resolved) if self._due(alert)]
        return [(at, alert) for at, alert in self.alerts if alert.event == event]

    def _due(self, alert: Alert) -> bool:
        due = self.broken_since is not None if alert is self.opened else self.status() is Status.HEALTHY
        return due and alert not in [known for _, known in self.alerts]

    # --- the subscribers ----------------------------------------------------------------------------------------

    def by_http(self) -> list[Alert]:
        arrived = [alert for _, alert in self.alerts if alert in self._unread]
        self._unread = [alert for alert in self._unread if alert not in arrived]
        return arrived

    def receive(self) -> Iterator[Any]:
        well = self.broken_since is None
        for number in (0, 1) if well else (2, 3):
            provider = "openai-tts" if well else "elevenlabs-tts"
            yield SimpleNamespace(request_id=f"run-outage-{number}", status=self.status_of_results, provider=provider)


@pytest.fixture(autouse=True)
def no_time_for_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage_story, "SETTLING_SECONDS", 0.001)


def told(play: Play) -> tuple[str, list[str]]:
    shown = io.StringIO()
    http = SimpleNamespace(alerts=play.by_http, url=play.url)
    parts: Any = (play, http, play)
    story = _Story(Console(file=shown, width=200), *parts)
    story.tell("run")
    return shown.getvalue(), list(story.complaints())


def test_everything_that_follows_is_shown_and_nothing_is_complained_of() -> None:
    shown, complaints = told(Play())
    assert complaints == []
    marks = [
        "answers 500",
        "health record: down",
        "SQS subscriber:  openai-tts is down",
        "HTTP subscriber: openai-tts is down",
        "traffic moved: 2 served by elevenlabs-tts",
        "is mended",
        "trial 1: delivered",
        "trial 2: delivered",
        "health record: healthy",
        "HTTP subscriber: ",
        "4 requests published, 4 succeeded",
    ]
    places = [shown.find(mark) for mark in marks]
    assert -1 not in places, shown
    assert shown.rfind("HTTP subscriber: ") > shown.find("health record: healthy")


@pytest.mark.parametrize(
    ("play", "complaint"),
    [
        (Play(status_of_results="failed"), "4 of 4 requests did not succeed"),
        (Play(trials=[TRIALS[0], ProviderCall(130.01, 130.1, Outcome.DELIVERED)]), "trials overlapped"),
    ],
    ids=["failed", "overlapped"],
)
def test_what_is_not_as_intended_is_complained_of(play: Play, complaint: str) -> None:
    assert any(complaint in said for said in told(play)[1])


def test_a_provider_that_is_never_tried_again_ends_the_story() -> None:
    with pytest.raises(NothingCame, match="a trial"):
        told(Play(trials=[]))
