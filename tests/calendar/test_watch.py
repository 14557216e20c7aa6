"""What the watch keeps, and so tells: once when it begins, once a week, once when it is over."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime

import pytest

from mediarelay.calendar.contract import CapabilityState
from mediarelay.calendar.watch import CapabilityWatch
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.vocabulary.kinds import Kind
from tests.doubles.health import MemoryCapabilities

NOW = calendar.timegm((2026, 11, 27, 12, 0, 0))
DAY = 24 * 3600.0
SPEAKING = ["openai", "elevenlabs"]


class Look:
    """A watch, and what it wrote."""

    def __init__(self, **settings: object) -> None:
        self.states = MemoryCapabilities()
        self.watch = CapabilityWatch(ALL_PROVIDERS, self.states, **settings)
        self.voices: object = None

    def at(self, now: float, *vendors: str) -> list[CapabilityState]:
        """Look at a moment; what was written by it."""
        before = len(self.states.written)
        self.watch.look(vendors, lambda _: self.voices, now)
        return self.states.written[before:]


@pytest.fixture
def look() -> Look:
    return Look()


def test_what_ends_is_told_with_the_day_who_is_left_and_whose_keys_help(look: Look) -> None:
    written = {state.kind: state for state in look.at(NOW, "openai", "elevenlabs", "polly")}
    speech = written[Kind.TTS]
    assert (speech.status, speech.since, speech.at) == ("capability_at_risk", NOW, NOW)
    assert set(speech.forms) == {"mp3", "wav", "opus", "aac", "flac", "pcm"}
    assert "polly from 2027-01-06 on" in speech.reason
    assert "gpt-4o-mini-tts was retired on 2027-01-06" in speech.reason
    assert "elevenlabs-tts has no default voice" in speech.reason
    assert speech.advice.startswith("Add keys of gemini or ")


def test_a_rehearsed_day_is_looked_ahead_from() -> None:
    long_before = calendar.timegm((2026, 6, 1, 12, 0, 0))
    assert [state for state in Look().at(long_before, *SPEAKING) if state.kind is Kind.TTS] == []
    (speech,) = [state for state in Look(day=date(2026, 12, 1)).at(long_before, *SPEAKING) if state.kind is Kind.TTS]
    assert speech.status == "capability_at_risk"


def test_it_is_told_once_a_week_until_it_is_mended_and_then_that_it_is(look: Look) -> None:
    speech = [look.at(NOW + day * DAY, *SPEAKING) for day in range(9)]
    told = [[state.status for state in written if state.kind is Kind.TTS] for written in speech]
    assert told == [["capability_at_risk"], [], [], [], [], [], [], ["capability_at_risk"], []]
    (over,) = (state for state in look.at(NOW + 9 * DAY, *SPEAKING, "polly", "gemini") if state.kind is Kind.TTS)
    assert (over.status, over.since, over.at) == ("covered", NOW, NOW + 9 * DAY)
    assert [state for state in look.at(NOW + 10 * DAY, *SPEAKING, "polly", "gemini") if state.kind is Kind.TTS] == []


def test_one_more_form_at_risk_is_told_at_once_and_one_less_is_not() -> None:
    look = Look(enabled=["elevenlabs-audio", "fal-sound-effects"])
    (first,) = look.at(NOW, "elevenlabs", "fal")
    (more,) = look.at(NOW + 60, "elevenlabs")
    assert (first.forms, more.forms) == (["music"], ["music", "sfx"])
    assert (more.status, more.since) == ("capability_at_risk", NOW)
    assert look.at(NOW + 120, "elevenlabs", "fal") == []
    assert look.at(NOW + 180, "elevenlabs") == []


def test_a_fresh_worker_does_not_tell_again(look: Look) -> None:
    look.at(NOW, *SPEAKING)
    other = Look()
    other.states = look.states
    other.watch = CapabilityWatch(ALL_PROVIDERS, look.states)
    assert other.at(NOW + 60, *SPEAKING) == []


def test_it_looks_once_an_hour_and_at_once_when_other_vendors_have_keys(look: Look) -> None:
    look.at(NOW, *SPEAKING)
    assert look.states.loads == 1
    look.at(NOW + 60, *SPEAKING)
    assert look.states.loads == 1
    look.at(NOW + 120, *SPEAKING, "polly")
    assert look.states.loads == 2
    look.at(NOW + 3720, *SPEAKING, "polly")
    assert look.states.loads == 3


def test_an_operators_voice_is_one_that_speaks_on(look: Look) -> None:
    vendors = ["elevenlabs", "polly"]
    assert any(state.kind is Kind.TTS for state in look.at(NOW, *vendors))
    look.voices = {"ours": {"gender": "female", "at": {"elevenlabs-tts": {"id": "A" * 20, "default": True}}}}
    (over,) = (state for state in look.at(NOW + 60, *vendors) if state.kind is Kind.TTS)
    assert over.status == "covered"


def test_a_provider_that_is_not_enabled_is_not_offered() -> None:
    look = Look(enabled=["polly-tts", "gemini-tts"])
    assert [state.kind for state in look.at(NOW, "openai", "gemini", "polly", "fal")] == []
    look = Look(enabled=["polly-tts"])
    (speech,) = look.at(NOW, "openai", "gemini", "polly", "fal")
    assert (speech.kind, datetime.fromtimestamp(speech.at, UTC).year) == (Kind.TTS, 2026)
    assert "polly from 2026-11-27 on" in speech.reason


def test_a_deployment_without_keys_is_left_alone(look: Look) -> None:
    assert look.at(NOW) == []
