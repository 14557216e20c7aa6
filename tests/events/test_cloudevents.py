"""Events as the CloudEvents SDK reads them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.events.cloudevents import cloud_event
from mediarelay.request.model import TENANT
from tests.builders.events import event
from tests.builders.incidents import alert


def read(told: dict[str, Any]) -> tuple[str, CloudEvent]:
    """The detail type, and what the SDK makes of the event; it refuses what is none."""
    found = cloud_event(told, "prod")
    assert found is not None
    title, written = found
    return title, JSONFormat().read(CloudEvent, json.dumps(written))


def result(**fields: Any) -> dict[str, Any]:
    return json.loads(event(**fields).model_dump_json())


def test_a_result_is_an_event_by_whose_attributes_rules_can_choose() -> None:
    told = result(kind="tts", status="succeeded", provider="openai-tts", tenant="acme", settled_at=1793440000900)
    title, found = read(told)
    assert (title, found.get_type()) == ("Media Settled", "mediarelay.media.settled.v1")
    assert (found.get_source(), found.get_id()) == ("/mediarelay/prod", told["event_id"])
    assert (found.get_subject(), found.get_data()) == ("job-1", told)
    assert str(found.get_time()) == "2026-10-31 09:46:40.900000+00:00"
    names = ("kind", "jobstatus", "provider", "tenant")
    assert [found.get_extension(name) for name in names] == ["tts", "succeeded", "openai-tts", "acme"]


@given(tenant=st.from_regex(re.compile(TENANT), fullmatch=True), client=st.none() | st.just("batch-7"))
def test_whoever_publishes_the_event_is_one(tenant: str, client: str | None) -> None:
    _, found = read(result(tenant=tenant, client=client))
    assert found.get_extension("tenant") == tenant
    assert found.get_extension("client") == client


@pytest.mark.parametrize(
    ("fields", "title", "type_"),
    [
        ({}, "Provider Alert", "mediarelay.alert.opened.v1"),
        ({"event": "resolved"}, "Provider Alert", "mediarelay.alert.resolved.v1"),
        ({"subject": "budget:tenant:acme"}, "Budget Reached", "mediarelay.budget.reached.v1"),
    ],
)
def test_an_alert_is_one_of_its_incident(fields: dict[str, Any], title: str, type_: str) -> None:
    told = json.loads(alert(**fields).model_dump_json())
    found_title, found = read(told)
    assert (found_title, found.get_type(), found.get_id()) == (title, type_, told["alert_id"])
    assert found.get_extension("incidentid") == "openai-tts-1793440000"
    assert found.get_extension("severity") == "critical"


def test_a_callback_that_was_given_up_is_an_event_of_its_own_each_time() -> None:
    told = [result() | {"callback_given_up": {"at": at, "state": "failed", "host": "a.example"}} for at in (7, 8)]
    events = [read(each) for each in told]
    assert {title for title, _ in events} == {"Callback Failed"}
    assert {found.get_type() for _, found in events} == {"mediarelay.callback.failed.v1"}
    assert len({found.get_id() for _, found in events} | {read(result())[1].get_id()}) == 3


def test_an_alarm_of_cloudwatch_is_none_of_ours() -> None:
    assert cloud_event({"AlarmName": "x", "NewStateValue": "ALARM"}, "prod") is None
