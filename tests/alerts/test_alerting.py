from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.alerts.contract import Severity
from mediarelay.alerts.texts import long_text, short_text, subject_line
from mediarelay.budgets.contract import BudgetLevel
from mediarelay.calendar.contract import CapabilityState
from mediarelay.health.incident import Event
from mediarelay.keys.contract import PoolState
from mediarelay.keys.states import KeyStatus
from mediarelay.limits.contract import LimitReport, LowerLimit
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import Kind
from tests.builders.incidents import BACK, DOWN, VERDICT, WELL
from tests.doubles.clock import EPOCH
from tests.doubles.trouble import Flaky
from tests.harness.health.alert_desk import Desk


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_an_outage_is_one_critical_alert_with_its_evidence(desk: Desk) -> None:
    desk.states.save(replace(VERDICT, status=KeyStatus.COOLING, until=EPOCH + 60, provider="openai-tts"))
    desk.states.save(replace(VERDICT, key_id="fedcba987654"))
    assert desk.service.provider_changed(WELL, DOWN)
    alert = desk.last
    assert (alert.event, alert.severity, alert.status, alert.previous_status) == ("opened", "critical", "down", "idle")
    assert (alert.provider, alert.subject) == ("openai-tts", "provider:openai-tts")
    assert alert.incident_id == f"openai-tts@{round((EPOCH + 10) * 1000)}"
    evidence = alert.evidence
    assert (evidence.samples, evidence.success_rate, evidence.p95_ms) == (2003, 0.9985, 905.0)
    assert evidence.last_error is not None
    assert evidence.last_error.code == "server_error"
    assert (evidence.cooling_keys, evidence.benched_keys, evidence.queued_requests) == (1, 1, 17)


def test_its_end_is_one_message_that_says_how_long_it_took(desk: Desk) -> None:
    desk.service.provider_changed(WELL, DOWN)
    desk.service.provider_changed(DOWN, BACK)
    opened, resolved = desk.published
    assert (resolved.event, resolved.severity, resolved.status) == (Event.RESOLVED, Severity.INFO, "healthy")
    assert resolved.incident_id == opened.incident_id
    assert resolved.summary == "openai-tts is healthy again after 1 min 25 s"
    assert resolved.what_to_do == "Nothing: it is over."


def test_a_write_without_news_and_a_change_delivered_twice_say_nothing(desk: Desk) -> None:
    assert desk.service.provider_changed(WELL, DOWN)
    assert not desk.service.provider_changed(WELL, DOWN)
    assert not desk.service.provider_changed(DOWN, DOWN.model_copy(update={"samples": 5}))
    assert len(desk.published) == 1


def test_a_topic_that_refuses_is_tried_again(desk: Desk) -> None:
    topic: Any = Flaky(desk, "publish", times=1)
    desk.service._topic = topic
    with pytest.raises(StoreUnavailable):
        desk.service.provider_changed(WELL, DOWN)
    assert desk.service.provider_changed(WELL, DOWN)
    assert len(desk.published) == 1


def test_evidence_that_cannot_be_had_holds_no_alert_up(desk: Desk) -> None:
    desk.queued = -1
    assert desk.service.provider_changed(WELL, DOWN)
    assert (desk.last.evidence.samples, desk.last.evidence.queued_requests) == (2003, None)


def test_a_rejected_key_is_told_once_and_so_is_its_return(desk: Desk) -> None:
    again = replace(VERDICT, observed_at=EPOCH + 300, strikes=2)
    returned = replace(VERDICT, status=KeyStatus.ACTIVE, observed_at=EPOCH + 400, code="delivered")
    told = [desk.service.key_changed(None, VERDICT), desk.service.key_changed(VERDICT, again)]
    assert [*told, desk.service.key_changed(again, returned)] == [True, False, True]
    rejected, back = desk.published
    assert (rejected.subject, rejected.key_id, rejected.vendor) == ("key:openai:0123456789ab", VERDICT.key_id, "openai")
    assert (rejected.event, back.event) == (Event.OPENED, Event.RESOLVED)


def test_an_account_out_of_quota_is_told_of_the_account(desk: Desk) -> None:
    empty = replace(VERDICT, status=KeyStatus.EXHAUSTED, spreads=True, until=EPOCH + 3600, code="insufficient_quota")
    assert desk.service.key_changed(None, empty)
    assert (desk.last.subject, desk.last.status) == ("account:openai:acme", "exhausted")


@pytest.mark.parametrize("status", [KeyStatus.COOLING, KeyStatus.DISABLED, KeyStatus.ACTIVE])
def test_a_key_that_cools_or_that_an_operator_disabled_is_no_news(desk: Desk, status: KeyStatus) -> None:
    assert not desk.service.key_changed(None, replace(VERDICT, status=status))


def test_a_pool_that_cools_as_a_whole_is_critical_and_its_end_is_told(desk: Desk) -> None:
    cooling = PoolState(vendor="fal", status="cooling", since=EPOCH - 60, at=EPOCH, keys=3, usable=0)
    usable = PoolState(vendor="fal", status="usable", since=EPOCH - 60, at=EPOCH + 60, keys=3, usable=2)
    assert desk.service.pool_changed(None, cooling)
    assert desk.service.pool_changed(cooling, usable)
    assert not desk.service.pool_changed(None, usable)
    first, last = desk.published
    assert (first.subject, first.severity, first.incident_id) == ("pool:fal", Severity.CRITICAL, last.incident_id)
    assert last.summary == "the key pool of fal is usable again after 2 min 0 s"


def test_a_vendor_whose_entry_cannot_be_read_is_critical_names_the_field_and_ends_when_it_can(desk: Desk) -> None:
    wrong = PoolState(
        vendor="fal", status="unreadable", since=EPOCH - 60, at=EPOCH, keys=0, usable=0, fault="FAL_KEYS[1]: weight: no"
    )
    usable = PoolState(vendor="fal", status="usable", since=EPOCH - 60, at=EPOCH + 60, keys=3, usable=3)
    assert desk.service.pool_changed(None, wrong)
    assert desk.service.pool_changed(wrong, usable)
    first, last = desk.published
    assert (first.event, first.severity, first.vendor) == (Event.OPENED, Severity.CRITICAL, "fal")
    assert (first.reason, last.event) == ("FAL_KEYS[1]: weight: no", Event.RESOLVED)
    assert "#keys-unreadable" in first.what_to_do


def test_a_pool_that_cooled_already_changes_when_its_entry_becomes_wrong(desk: Desk) -> None:
    cooling = PoolState(vendor="fal", status="cooling", since=EPOCH - 60, at=EPOCH - 30, keys=1, usable=0)
    assert desk.service.pool_changed(None, cooling)
    desk.clock.advance(60.0)
    assert desk.service.pool_changed(cooling, cooling.model_copy(update={"status": "unreadable", "at": EPOCH}))
    assert (desk.last.event, desk.last.severity) == (Event.CHANGED, Severity.CRITICAL)


def test_the_texts_for_people_fit_and_name_what_matters(desk: Desk) -> None:
    desk.service.provider_changed(WELL, DOWN)
    text = long_text(desk.last)
    for part in ("openai-tts is down", "3 faults in a row", "2003 calls", "HTTP 500", "#provider-down", "Waiting in"):
        assert part in text
    assert len(subject_line(desk.last)) <= 100
    assert short_text(desk.last) == "mediarelay: openai-tts is down. 3 faults in a row"
    assert len(short_text(desk.last.model_copy(update={"reason": "x" * 500}))) == 140


def test_alert_ids_sort_by_time(desk: Desk) -> None:
    desk.service.provider_changed(WELL, DOWN)
    desk.service.provider_changed(DOWN, BACK)
    ids = [alert.alert_id for alert in desk.published]
    assert ids == sorted(ids)
    assert [alert.alert_id for alert in desk.log.latest(1)] == [ids[1]]
    assert math.isclose(desk.last.at, EPOCH + 95)


AT_RISK = CapabilityState(
    kind=Kind.TTS,
    status="capability_at_risk",
    since=EPOCH,
    at=EPOCH,
    forms=["mp3", "wav"],
    reason="mp3, wav: polly from 2027-01-06 on; openai-tts model gpt-4o-mini-tts was retired on 2027-01-06",
    advice="Add keys of gemini, or enable their providers.",
)


def test_what_is_at_risk_is_a_warning_that_names_what_ends_and_what_to_configure(desk: Desk) -> None:
    assert desk.service.capability_changed(None, AT_RISK)
    alert = desk.last
    assert (alert.event, alert.severity, alert.subject) == (Event.OPENED, Severity.WARNING, "capability:tts")
    assert (alert.status, alert.previous_status) == ("capability_at_risk", "covered")
    assert alert.summary == "fewer than two vendors for tts (mp3, wav)"
    assert "retired on 2027-01-06" in alert.reason
    assert alert.what_to_do.startswith("Add keys of gemini, or enable their providers. Nothing fails yet")
    assert "operations.md#capability-at-risk" in alert.what_to_do


def test_it_is_told_again_with_each_weekly_write_and_when_it_is_over(desk: Desk) -> None:
    again = AT_RISK.model_copy(update={"at": EPOCH + 7 * 86_400})
    over = CapabilityState(kind=Kind.TTS, status="covered", since=EPOCH, at=EPOCH + 8 * 86_400)
    assert desk.service.capability_changed(None, AT_RISK)
    assert not desk.service.capability_changed(None, AT_RISK)  # the same write, delivered again
    assert desk.service.capability_changed(AT_RISK, again)
    assert desk.service.capability_changed(again, over)
    assert not desk.service.capability_changed(over, over.model_copy(update={"at": EPOCH + 9 * 86_400}))
    assert [alert.event for alert in desk.published] == [Event.OPENED, Event.DIGEST, Event.RESOLVED]
    assert len({alert.incident_id for alert in desk.published}) == 1


def test_a_level_of_a_budget_is_told_once(desk: Desk) -> None:
    level = BudgetLevel(payer="tenant:acme", window="2026-08-01", level=80, used_usd=8.1, most_usd=10.0, at=EPOCH)
    assert desk.service.level_reached(level)
    assert not desk.service.level_reached(level)  # the same write, delivered again
    alert = desk.last
    assert (alert.subject, alert.status, alert.severity) == ("budget:tenant:acme", "80_percent", Severity.WARNING)
    assert alert.reason == "$8.10 of $10.00 is spent or set aside"
    assert "operations.md#budgets" in alert.what_to_do


def test_a_limit_that_is_lower_than_declared_names_both_numbers_and_ends_with_why(desk: Desk) -> None:
    numbers = LowerLimit(account="acme", declared_per_minute=600, measured_per_minute=300)
    facts: Any = {"provider": "openai-tts", "vendor": "openai", "since": EPOCH}
    lower = LimitReport(status="limit_lower_than_declared", at=EPOCH, lower=[numbers], **facts)
    more = lower.model_copy(update={"at": EPOCH + 60, "lower": [numbers, numbers]})
    over = LimitReport(status="as_declared", at=EPOCH + 120, reason="it is declared anew, or gone", **facts)
    assert desk.service.limits_changed(None, lower)
    assert not desk.service.limits_changed(lower, more)
    assert desk.service.limits_changed(more, over)
    opened, resolved = desk.published
    assert (opened.event, opened.subject, opened.severity) == ("opened", "limit:openai-tts", "warning")
    assert opened.status == "limit_lower_than_declared"
    assert (opened.evidence.declared_per_minute, opened.evidence.measured_per_minute) == (600, 300)
    assert "300 calls a minute of 600" in opened.summary
    assert "acme: 300 of 600" in opened.reason
    assert (resolved.event, resolved.incident_id, resolved.reason) == ("resolved", opened.incident_id, over.reason)


def test_an_end_of_a_lower_limit_that_was_lost_is_asked_for(desk: Desk) -> None:
    numbers = LowerLimit(account="acme", declared_per_minute=600, measured_per_minute=300)
    facts: Any = {"provider": "openai-tts", "vendor": "openai", "since": EPOCH}
    desk.service.limits_changed(
        None, LimitReport(status="limit_lower_than_declared", at=EPOCH, lower=[numbers], **facts)
    )
    desk.limits.save(LimitReport(status="as_declared", at=EPOCH + 60, **facts))
    desk.clock.advance(300.0)
    desk.service.look_after()
    assert [alert.event for alert in desk.published] == ["opened", "resolved"]
