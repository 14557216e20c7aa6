"""What the topics told goes to each outlet once, whatever becomes of the others."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from mediarelay.alerts.contract import Alert
from mediarelay.alerts.pairing import IncidentState
from mediarelay.announce.contract import ResultEvent
from mediarelay.events.forwarding import DELAYS, ForwardingService, Outlets
from mediarelay.events.ports import ToldMessage
from tests.builders.events import event
from tests.builders.incidents import alert
from tests.doubles.health import MemoryIncidents
from tests.doubles.tables.events import MemoryBus, MemoryChat, MemoryEventsQueue, MemoryPager


@dataclass
class Desk:
    """Every outlet there is."""

    bus: MemoryBus = field(default_factory=MemoryBus)
    chat: MemoryChat = field(default_factory=MemoryChat)
    pager: MemoryPager = field(default_factory=MemoryPager)
    queue: MemoryEventsQueue = field(default_factory=MemoryEventsQueue)
    incidents: MemoryIncidents = field(default_factory=MemoryIncidents)

    def service(self) -> ForwardingService:
        outlets = Outlets(self.bus, self.chat, self.pager)
        return ForwardingService(outlets, self.queue, lambda: self.incidents, stage="prod", console="")

    def forward(self, *told: Alert | ResultEvent | str) -> list[str]:
        bodies = [each if isinstance(each, str) else each.model_dump_json() for each in told]
        return self.service().forward([ToldMessage(f"m-{number}", body) for number, body in enumerate(bodies)])

    @property
    def counts(self) -> tuple[int, int, int]:
        return len(self.bus.events), len(self.chat.messages), len(self.pager.events)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_results_go_to_the_bus_in_one_call_and_alerts_to_everybody(desk: Desk) -> None:
    assert desk.forward(event(), event(request_id="job-2"), alert()) == []
    assert (desk.counts, desk.bus.calls, desk.queue.waiting) == ((3, 1, 1), 1, [])
    assert {(each.source, each.detail_type) for each in desk.bus.events} == {
        ("mediarelay.prod", "Media Settled"),
        ("mediarelay.prod", "Provider Alert"),
    }


def test_what_a_bus_refuses_comes_again_with_its_id_and_nothing_else_does(desk: Desk) -> None:
    desk.bus.refused = {"job-2"}
    assert desk.forward(event(), event(request_id="job-2")) == []
    desk.bus.refused = set()
    assert desk.service().forward(desk.queue.take()) == []
    subjects = [json.loads(each.detail)["subject"] for each in desk.bus.events]
    assert subjects == ["job-1", "job-2"]


@pytest.mark.parametrize("away", ["bus", "chat", "pager"])
def test_an_outlet_that_is_away_delays_no_other_and_is_told_once_it_is_back(desk: Desk, away: str) -> None:
    desk.bus.away, desk.chat.away, desk.pager.busy = (away == name for name in ("bus", "chat", "pager"))
    assert desk.forward(alert()) == []
    assert sum(desk.counts) == 2
    desk.bus.away = desk.chat.away = desk.pager.busy = False
    assert desk.service().forward(desk.queue.take()) == []
    assert desk.counts == (1, 1, 1)


def test_what_is_never_taken_is_parked_after_four_hours(desk: Desk) -> None:
    desk.chat.away = True
    desk.forward(alert())
    while waiting := desk.queue.take():
        assert desk.service().forward(waiting) == []
    assert (tuple(desk.queue.delays), sum(DELAYS) // 3600) == (DELAYS, 3)
    assert [message.left for message in desk.queue.parked] == [{"chat"}]


def test_without_its_own_queue_a_message_comes_again_by_itself(desk: Desk) -> None:
    desk.chat.away = desk.queue.away = True
    assert desk.forward(event(), alert()) == ["m-1"]


def test_nobody_is_paged_for_what_has_ended_meanwhile(desk: Desk) -> None:
    """A trigger after the resolve would open a new alert at PagerDuty."""
    desk.incidents.save(IncidentState(subject=alert().subject, incident_id=alert().incident_id), now=0.0)
    desk.forward(alert(), alert(event="resolved"))
    assert [each["event_action"] for each in desk.pager.events] == ["resolve"]


@pytest.mark.parametrize("sending", [None, alert()])
def test_who_is_told_of_an_open_incident_is_paged(desk: Desk, sending: Alert | None) -> None:
    state = IncidentState(
        subject=alert().subject, incident_id=alert().incident_id, open=sending is None, sending=sending
    )
    desk.incidents.save(state, now=0.0)
    desk.forward(alert())
    assert [each["event_action"] for each in desk.pager.events] == ["trigger"]


def test_each_incident_of_a_message_is_paged_by_itself(desk: Desk) -> None:
    other = alert(incident_id="fal-1", subject="provider:fal-flux").model_dump()
    desk.forward(alert(also=[other]))
    assert [each["dedup_key"] for each in desk.pager.events] == ["openai-tts-1793440000", "fal-1"]
    assert len(desk.chat.messages) == 1


@pytest.mark.parametrize("body", ["{", "[]", '{"AlarmName": "x"}'])
def test_what_is_none_of_ours_is_dropped(desk: Desk, body: str) -> None:
    assert desk.forward(body) == []
    assert desk.counts == (0, 0, 0)
