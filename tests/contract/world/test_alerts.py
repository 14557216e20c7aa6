"""What operators are told, and what that rests on: the fakes and the adapters keep the same promises."""

from __future__ import annotations

from typing import Any

import pytest

from mediarelay.alerts.contract import Alert
from mediarelay.alerts.dynamodb import DynamoAlertLog, DynamoAlertPath, DynamoIncidents
from mediarelay.alerts.pairing import IncidentState
from mediarelay.alerts.ports import AlertLog, IncidentStates
from mediarelay.alerts.sns import SnsAlerts
from mediarelay.calendar.contract import CapabilityState
from mediarelay.calendar.dynamodb import DynamoCapabilities
from mediarelay.calendar.ports import CapabilityStates
from mediarelay.health.ports import AlertPath
from mediarelay.keys.contract import PoolState
from mediarelay.keys.dynamodb import DynamoPools
from mediarelay.keys.ports import PoolStates
from mediarelay.limits.contract import LimitReport, LowerLimit
from mediarelay.limits.dynamodb_reports import DynamoLimitReports
from mediarelay.limits.ports import LimitReports
from mediarelay.vocabulary.kinds import Kind
from tests.builders.incidents import DOWN, WELL
from tests.doubles.health import (
    MemoryAlertLog,
    MemoryAlertPath,
    MemoryCapabilities,
    MemoryIncidents,
    MemoryLimitReports,
    MemoryPools,
)
from tests.harness.health.alert_desk import Desk
from tests.harness.local_aws import TELEMETRY, LocalAws


@pytest.fixture(params=["memory", "dynamodb"])
def log(request: pytest.FixtureRequest) -> AlertLog:
    if request.param == "memory":
        return MemoryAlertLog()
    return DynamoAlertLog(request.getfixturevalue("aws").dynamodb, TELEMETRY)


@pytest.fixture(params=["memory", "dynamodb"])
def pools(request: pytest.FixtureRequest) -> PoolStates:
    if request.param == "memory":
        return MemoryPools()
    return DynamoPools(request.getfixturevalue("aws").dynamodb, TELEMETRY)


@pytest.fixture(params=["memory", "dynamodb"])
def reports(request: pytest.FixtureRequest) -> LimitReports:
    if request.param == "memory":
        return MemoryLimitReports()
    return DynamoLimitReports(request.getfixturevalue("aws").dynamodb, TELEMETRY)


def test_a_report_of_limits_replaces_the_providers_last(reports: LimitReports) -> None:
    lower = [LowerLimit(account="acme", declared_per_minute=600.0, measured_per_minute=299.5)]
    facts: Any = {"vendor": "openai", "since": 1.5, "at": 2.5}
    first = LimitReport(provider="openai-tts", status="limit_lower_than_declared", lower=lower, **facts)
    other = LimitReport(provider="openai-image", status="limit_lower_than_declared", lower=lower, **facts)
    over = LimitReport(provider="openai-tts", status="as_declared", reason="it is declared anew, or gone", **facts)
    for report in (first, other):
        reports.save(report)
    assert reports.load() == {"openai-tts": first, "openai-image": other}
    reports.save(over)
    assert reports.load()["openai-tts"] == over


def an_alert(**fields: Any) -> Alert:
    desk = Desk()
    desk.service.provider_changed(WELL, DOWN)
    return desk.last.model_copy(update=fields)


def test_an_alert_is_known_once_it_is_noted(log: AlertLog) -> None:
    alert = an_alert()
    log.add(alert)
    log.add(alert)
    assert list(log.latest(10)) == [alert]


@pytest.fixture(params=["memory", "dynamodb"])
def incidents(request: pytest.FixtureRequest) -> IncidentStates:
    if request.param == "memory":
        return MemoryIncidents()
    return DynamoIncidents(request.getfixturevalue("aws").dynamodb, TELEMETRY)


def test_a_subject_is_read_as_it_was_written_and_a_write_over_an_unknown_version_is_refused(
    incidents: IncidentStates,
) -> None:
    state = IncidentState(subject="provider:openai-tts", group="openai").hears(an_alert(), 1)
    assert incidents.get(state.subject) is None
    assert list(incidents.load()) == []
    assert incidents.save(state, now=1.5)
    assert not incidents.save(state, now=2.5)
    first = state.model_copy(update={"version": 1})
    assert incidents.get(state.subject) == first
    sending = first.sends(an_alert())
    assert incidents.save(sending, now=2.5)
    assert not incidents.save(first.sent(), now=3.5)
    other = IncidentState(subject="pool:fal")
    assert incidents.save(other, now=3.5)
    assert list(incidents.load()) == [
        other.model_copy(update={"version": 1}),
        sending.model_copy(update={"version": 2}),
    ]


def test_one_message_on_a_topic_is_claimed_in_so_many_seconds(incidents: IncidentStates) -> None:
    assert incidents.claim("openai:open", now=100.5, seconds=60.0)
    assert not incidents.claim("openai:open", now=160.25, seconds=60.0)
    assert incidents.claim("openai:over", now=160.25, seconds=60.0)
    assert incidents.claim("openai:open", now=160.5, seconds=60.0)
    assert not incidents.claim("openai:open", now=160.5, seconds=60.0)


def test_the_newest_alerts_come_first_and_no_more_than_asked(log: AlertLog) -> None:
    for number in (2, 1, 3):
        log.add(an_alert(alert_id=f"2026-08-0{number}"))
    assert [alert.alert_id for alert in log.latest(2)] == ["2026-08-03", "2026-08-02"]


def test_a_pools_last_state_is_the_one_that_is_read(pools: PoolStates) -> None:
    assert dict(pools.load()) == {}
    fields: dict[str, Any] = {"vendor": "openai", "since": 1.5, "at": 2.5, "keys": 2}
    usable = PoolState(status="usable", usable=2, **fields)
    cooling = PoolState(status="cooling", usable=0, **fields)
    other = usable.model_copy(update={"vendor": "fal"})
    for state in (usable, other, cooling):
        pools.save(state)
    assert dict(pools.load()) == {"openai": cooling, "fal": other}


@pytest.fixture(params=["memory", "dynamodb"])
def capabilities(request: pytest.FixtureRequest) -> CapabilityStates:
    if request.param == "memory":
        return MemoryCapabilities()
    return DynamoCapabilities(request.getfixturevalue("aws").dynamodb, TELEMETRY)


def test_a_kinds_last_state_is_the_one_that_is_read(capabilities: CapabilityStates) -> None:
    assert dict(capabilities.load()) == {}
    risk = CapabilityState(kind=Kind.TTS, status="capability_at_risk", since=1.5, at=2.5, forms=["mp3"], reason="ends")
    over = CapabilityState(kind=Kind.TTS, status="covered", since=1.5, at=3.5)
    other = risk.model_copy(update={"kind": Kind.IMAGE})
    for state in (risk, other, over):
        capabilities.save(state)
    assert dict(capabilities.load()) == {"tts": over, "image": other}


@pytest.mark.parametrize("kind", ["memory", "dynamodb"])
def test_a_beat_can_be_sent_again_and_again(kind: str, aws: LocalAws) -> None:
    path: AlertPath = MemoryAlertPath() if kind == "memory" else DynamoAlertPath(aws.dynamodb, TELEMETRY)
    for now in (1.5, 2.5):
        path.keep_warm(now)
    if isinstance(path, MemoryAlertPath):
        assert path.beats == [1.5, 2.5]
    else:
        assert [item["at"] for item in aws.items(TELEMETRY)] == [{"N": "2.5"}]


@pytest.mark.parametrize("kind", ["memory", "sns"])
def test_an_alert_arrives_as_it_was_published(kind: str, aws: LocalAws) -> None:
    alert, desk, inbox = an_alert(), Desk(), aws.inbox_url
    topic = desk if kind == "memory" else SnsAlerts(aws.sns, aws.topic_arn)
    topic.publish(alert)
    sent = [Alert.model_validate_json(each["Body"]) for each in aws.received(inbox)]
    assert (desk.published if kind == "memory" else sent) == [alert]
