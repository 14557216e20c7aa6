"""What the demo, the bench and the tests see of an outage."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import requests

from mediarelay.vocabulary.outcome import Outcome
from tests.builders.incidents import DOWN, WELL
from tests.harness.health.alert_desk import Desk
from tools.local.outage import drill as drill_module
from tools.local.outage import http_inbox
from tools.local.outage.calls import ProviderCall, calls_after_first_fault
from tools.local.outage.drill import Drill, NothingCame
from tools.local.outage.http_inbox import HttpInbox, NotConfirmed

GOOD, BAD = Outcome.DELIVERED, Outcome.PROVIDER_FAULT


def test_calls_under_way_when_the_first_fault_came_back_are_not_counted() -> None:
    calls = [
        ProviderCall(9.0, 9.5, GOOD),
        ProviderCall(10.0, 10.4, BAD),
        ProviderCall(10.1, 10.3, BAD),  # the first to come back
        ProviderCall(10.2, 11.0, BAD),  # under way
        ProviderCall(10.3, 10.6, BAD),
        ProviderCall(12.0, 12.1, GOOD),
        ProviderCall(30.3, 30.4, BAD),  # after the window
    ]
    assert [call.started for call in calls_after_first_fault(calls, within=20)] == [10.3, 12.0]


class Vendors:
    """Saw two speech calls of openai and one of elevenlabs since the drill began at 100, and others."""

    def calls(self) -> list[dict[str, Any]]:
        return [
            {"vendor": "openai", "operation": "speech", "ended": 99.9},
            {"vendor": "openai", "operation": "speech", "ended": 100.1},
            {"vendor": "openai", "operation": "image", "ended": 101.0},
            {"vendor": "elevenlabs", "operation": "speech", "ended": 101.0},
            {"vendor": "openai", "operation": "speech", "ended": 102.0},
        ]


PARTS: Any = {"stack": None, "simulator": Vendors(), "inbox": None, "order": ["openai-tts"], "began": 100.0}


class NotedLate(Drill):
    """Each look finds one more call."""

    looks = 0

    def calls(self) -> list[ProviderCall]:
        self.looks += 1
        return [ProviderCall(100.0, 100.1, GOOD), ProviderCall(101.9, 102.0, BAD)][: self.looks]


class NotedNever(Drill):
    """No look finds a call."""

    def calls(self) -> list[ProviderCall]:
        return []


def test_the_calls_are_all_when_they_are_as_many_as_the_vendor_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_module, "POLL_SECONDS", 0.0)
    drill = NotedLate(**PARTS)
    assert [call.outcome for call in drill.all_calls(max_wait=60)] == [GOOD, BAD]


def test_a_call_that_nobody_noted_is_told() -> None:
    with pytest.raises(NothingCame, match="a note of every call"):
        NotedNever(**PARTS).all_calls(max_wait=0.0)


class Topic:
    """Asks for confirmation, as SNS does, when somebody subscribes."""

    def __init__(self, *, asks: bool = True) -> None:
        self.asks = asks
        self.endpoint = ""
        self.confirmed: list[str] = []

    def subscribe(self, **given: Any) -> None:
        self.endpoint = given["Endpoint"]
        if self.asks:
            threading.Thread(target=self.send, args=({"Type": "SubscriptionConfirmation", "Token": "t0"},)).start()

    def confirm_subscription(self, **given: Any) -> None:
        self.confirmed.append(given["Token"])

    def send(self, message: dict[str, Any]) -> None:
        requests.post(self.endpoint, data=json.dumps(message), timeout=600).raise_for_status()


def test_a_subscriber_by_http_confirms_and_receives_alerts_but_no_alarms() -> None:
    topic, desk = Topic(), Desk()
    desk.service.provider_changed(WELL, DOWN)
    with HttpInbox(topic, "arn:topic") as inbox:
        assert topic.confirmed == ["t0"]
        topic.send({"Type": "Notification", "Message": '{"AlarmName":"x"}'})
        assert inbox.alerts() == []
        topic.send({"Type": "Notification", "Message": desk.last.model_dump_json()})
        assert inbox.alerts() == [desk.last]
    with pytest.raises(requests.ConnectionError):
        topic.send({})


def test_a_topic_that_never_asks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_inbox, "CONFIRM_SECONDS", 0.01)
    with pytest.raises(NotConfirmed), HttpInbox(Topic(asks=False), "arn:topic"):
        pass
