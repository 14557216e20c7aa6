"""The book as it is shipped: every voice is one of its vendor's, and none is chosen that has ended."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.providers.api import ProviderCall, Voice
from mediarelay.providers.catalogue import default_model, models
from mediarelay.providers.registry import by_kind
from mediarelay.request.model import TtsInput
from mediarelay.vocabulary.kinds import Kind
from mediarelay.voices.book import WantedVoice
from mediarelay.voices.parsing import shipped_book

BOOK = shipped_book()
SPEAKERS = {provider.name: provider for provider in by_kind(Kind.TTS)}
VOICES = [voice for voices in BOOK.voices.values() for voice in voices]
TODAY = date(2026, 11, 27)
FORMATS = ("mp3", "wav", "pcm", "opus", "flac", "aac")
days = st.integers(0, 800).map(lambda number: TODAY + timedelta(days=number))


def refusals(provider, asked, model, voice):
    """What the provider says to the voice, in the first format that it makes."""
    calls = (ProviderCall("job-1", asked.model_copy(update={"format": name}), model, {}, voice) for name in FORMATS)
    said = [SPEAKERS[provider].refusal(call) for call in calls]
    return said if None not in said else []


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: f"{voice.provider}-{voice.id}")
def test_a_voice_of_the_book_is_one_that_its_vendor_has(voice):
    for model in voice.models or [default_model(voice.provider, TODAY).id]:
        asked = TtsInput(text="hello", voice=voice.id)
        assert refusals(voice.provider, asked, models(voice.provider)[model], Voice(voice.id)) == []


def test_every_provider_of_speech_is_in_the_book_and_nobody_else():
    assert set(BOOK.voices) == set(SPEAKERS)


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: f"{voice.provider}-{voice.id}")
def test_who_plays_a_voice_is_of_its_kind(voice):
    for name in voice.plays:
        assert BOOK.names[name].gender == voice.gender


@pytest.mark.parametrize("provider", SPEAKERS)
def test_no_name_is_played_by_two_voices_of_one_language(provider):
    for name in BOOK.names:
        playing = [voice.languages for voice in BOOK.voices[provider] if name in voice.plays]
        assert len(playing) == len(set(playing))


@pytest.mark.parametrize("name", BOOK.names)
def test_a_voice_is_at_home_where_its_own_id_is(name):
    (home,) = BOOK.names[name].homes
    assert [voice.id for voice in BOOK.voices[home] if name in voice.plays] == [name]


@pytest.mark.parametrize("name", BOOK.names)
@pytest.mark.parametrize("provider", SPEAKERS)
def test_every_name_is_played_in_english_by_every_provider_today(provider, name):
    model = default_model(provider, TODAY)
    chosen = BOOK.choose(provider, WantedVoice(name), model.id, TODAY)
    assert isinstance(chosen, Voice), chosen
    assert chosen.substituted == (provider not in BOOK.names[name].homes)


@given(
    today=days,
    provider=st.sampled_from(sorted(SPEAKERS)),
    name=st.sampled_from([None, *sorted(BOOK.names)]),
    language=st.sampled_from([None, "en", "en-GB", "de", "ar", "ja-JP", "pt-BR"]),
    policy=st.sampled_from(["equivalent", "exact"]),
)
def test_whoever_is_chosen_is_the_vendors_speaks_the_language_and_has_not_ended(
    today, provider, name, language, policy
):
    asked = TtsInput(text="hello", voice=name, language=language, voice_policy=policy)
    model = default_model(provider, today)
    chosen = BOOK.choose(provider, WantedVoice(name, policy == "exact", language), model.id, today)
    if isinstance(chosen, str):
        assert chosen.startswith("voice: ")
        return
    (voice,) = [voice for voice in BOOK.voices[provider] if voice.id == chosen.id]
    assert voice.speaks(model.id, today)
    assert refusals(provider, asked, model, chosen) == []
    assert voice.fit(language) or policy == "exact"
    if name:
        assert voice.gender == BOOK.names[name].gender
