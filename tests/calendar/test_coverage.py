"""Who can serve what on which day: the shipped catalogue, and what is said of a deployment with fewer keys."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from mediarelay.calendar.coverage import DAYS_AHEAD, Supply, coverage, risks
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.vocabulary.kinds import Kind
from mediarelay.voices.parsing import shipped_book

TODAY = date(2026, 11, 27)
LATER = date(2027, 1, 7)
SHIPPED = Supply(shipped_book())
EVERY = list(ALL_PROVIDERS.values())


def of(*vendors):
    return [provider for provider in EVERY if provider.vendor in vendors]


def vendors_of(found, kind, form):
    return next(cell.vendors for cell in found if (cell.kind, cell.form) == (kind, form))


def test_every_kind_and_format_has_two_vendors_on_every_day_of_the_next_ninety():
    for ahead in range(DAYS_AHEAD):
        day = TODAY + timedelta(days=ahead)
        found = coverage(EVERY, SHIPPED, day)
        assert [(cell.kind, cell.form, day) for cell in found if cell.at_risk] == []
        assert {cell.kind for cell in found} == set(Kind)


def test_what_ends_is_no_longer_counted_and_says_when_it_ended():
    before, after = (coverage(EVERY, SHIPPED, day) for day in (TODAY, LATER))
    assert {"openai", "elevenlabs"} <= set(vendors_of(before, Kind.TTS, "mp3"))
    assert not {"openai", "elevenlabs"} & set(vendors_of(after, Kind.TTS, "mp3"))
    refusals = next(cell.refusals for cell in after if cell.kind is Kind.TTS)
    assert "retired on 2027-01-06" in refusals["openai-tts"]
    assert "no default voice" in refusals["elevenlabs-tts"]


def test_a_deployment_whose_vendors_end_is_told_of_the_first_day_with_too_few_of_what_ends_and_of_whose_keys_help():
    found = risks(of("openai", "elevenlabs", "gemini"), EVERY, SHIPPED, TODAY)
    speech = next(risk for risk in found if (risk.kind, risk.form) == (Kind.TTS, "mp3"))
    assert (speech.day, speech.left) == (date(2027, 1, 6), ("gemini",))
    assert len(speech.ends) == 2
    assert any("gpt-4o-mini-tts was retired on 2027-01-06" in what for what in speech.ends)
    assert {"polly", "qwen"} <= set(speech.others)
    assert not {"openai", "elevenlabs", "gemini"} & set(speech.others)


def test_what_only_one_vendor_serves_today_is_at_risk_today():
    found = risks(of("openai", "gemini", "polly"), EVERY, SHIPPED, TODAY)
    assert {(risk.kind, risk.form, risk.day, risk.left) for risk in found} == {
        (Kind.IMAGE, form, TODAY, ("openai",)) for form in ("png", "jpeg", "webp")
    }
    assert all(risk.ends == () and risk.others == ("fal",) for risk in found)


def test_what_nobody_serves_was_not_asked_for():
    assert risks(of("gemini", "polly"), EVERY, SHIPPED, TODAY) == ()
    assert risks([], EVERY, SHIPPED, TODAY) == ()


@pytest.mark.parametrize("days", [30, 39])
def test_what_ends_after_the_days_asked_for_is_not_at_risk(days):
    found = risks(of("openai", "gemini"), EVERY, SHIPPED, date(2026, 11, 28), days=days)
    assert [risk for risk in found if risk.kind is Kind.TTS] == []


def test_the_first_day_is_the_one_on_which_every_day_between_would_have_told_it():
    offered = of("openai", "elevenlabs")
    found = {(risk.kind, risk.form): risk.day for risk in risks(offered, EVERY, SHIPPED, TODAY)}
    days = [TODAY + timedelta(days=ahead) for ahead in range(DAYS_AHEAD)]
    told = {}
    for day in days:
        for cell in coverage(offered, SHIPPED, day):
            if cell.at_risk and vendors_of(coverage(offered, SHIPPED, TODAY), cell.kind, cell.form):
                told.setdefault((cell.kind, cell.form), day)
    assert found == told
