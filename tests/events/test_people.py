"""Alerts for a chat, and for PagerDuty as its own SDK would send them."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from pagerduty import EventsApiV2Client

from mediarelay.events.chat import notification
from mediarelay.events.pagerduty import pager_event
from tests.builders.incidents import alert

CONSOLE = "https://api.example.com/"
# Required and optional fields, and their types (docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html,
# "Event schema" and "Parameter details", 2026-11-28).
SCHEMA: dict[str, Any] = {
    "version": str,
    "source": str,
    "id": str,
    "content": {"textType": str, "title": str, "description": str, "nextSteps": list, "keywords": list},
    "metadata": {
        "threadId": str,
        "summary": str,
        "eventType": str,
        "relatedResources": list,
        "additionalContext": dict,
    },
}


def check(message: dict[str, Any], schema: dict[str, Any]) -> None:
    assert message.keys() <= schema.keys()
    for name, value in message.items():
        if isinstance(schema[name], dict):
            check(value, schema[name])
        else:
            assert isinstance(value, schema[name])
            assert value
            assert all(isinstance(each, str) for each in value)


@pytest.mark.parametrize("event", ["opened", "changed", "resolved", "flapping", "digest"])
def test_an_alert_is_a_custom_notification_in_the_thread_of_its_incident(event: str) -> None:
    told = notification(alert(event=event), "prod", CONSOLE)
    check(told, SCHEMA)
    assert (told["version"], told["source"]) == ("1.0", "custom")
    assert told["metadata"]["threadId"] == "openai-tts-1793440000"
    assert told["content"]["description"].startswith("3 faults in a row.")
    assert (alert().what_to_do in told["content"]["nextSteps"]) is (event != "resolved")


def test_what_is_long_is_cut_and_what_is_told_together_is_in_one_message() -> None:
    others = [alert(summary=f"{number} is down", reason="r" * 500).model_dump() for number in range(9)]
    told = notification(alert(summary="s" * 300, also=others), "prod", "")
    assert (len(told["content"]["title"]), len(told["content"]["description"])) == (120, 2000)
    assert "Also opened: 0 is down" in told["content"]["description"]


def sent_by_the_sdk(call: Any) -> dict[str, Any]:
    client = EventsApiV2Client("k" * 32)
    bodies: list[dict[str, Any]] = []

    def send(_path: str, json: dict[str, Any]) -> Any:
        bodies.append(json)
        raise LookupError

    with patch.object(client, "post", send), pytest.raises(LookupError):
        call(client)
    return bodies[0]


def test_what_opens_an_alert_is_what_pagerdutys_sdk_would_send() -> None:
    ours = pager_event(alert(), "prod", CONSOLE)
    payload = ours["payload"]
    theirs = sent_by_the_sdk(
        lambda client: client.trigger(
            "openai-tts is down: 3 faults in a row",
            "mediarelay-prod",
            dedup_key="openai-tts-1793440000",
            payload={name: payload[name] for name in ("timestamp", "component", "group", "class")},
            custom_details=payload["custom_details"],
            links=[{"href": CONSOLE, "text": "console"}],
        )
    )
    assert ours == {**theirs, "client": "mediarelay prod", "client_url": CONSOLE}
    assert (payload["class"], payload["timestamp"]) == ("provider_down", "2026-10-31T09:46:40.500Z")


def test_what_ends_it_too() -> None:
    theirs = sent_by_the_sdk(lambda client: client.resolve("openai-tts-1793440000"))
    assert pager_event(alert(event="resolved"), "prod", CONSOLE) == theirs


@pytest.mark.parametrize("event", ["changed", "flapping", "digest"])
def test_what_goes_on_is_of_the_same_alert(event: str) -> None:
    told = pager_event(alert(event=event), "prod", "")
    assert (told["event_action"], told["dedup_key"]) == ("trigger", "openai-tts-1793440000")
    assert "links" not in told
