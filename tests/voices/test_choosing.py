from __future__ import annotations

from datetime import date

import pytest

from mediarelay.providers.api import Voice
from mediarelay.voices.book import BookVoice, VendorVoice, VoiceBook, WantedVoice

TODAY = date(2027, 1, 7)
MODEL = "m-1"
BOOK = VoiceBook().with_voices(
    [
        BookVoice("nova", "female", homes=frozenset({"first-tts"})),
        BookVoice("clerk", "male", ("de",), frozenset({"first-tts", "second-tts"})),
    ],
    [
        VendorVoice("anna", "first-tts", "female", plays=("nova",)),
        VendorVoice("otto", "first-tts", "male", ("de",), plays=("clerk",), account="acme"),
        VendorVoice("gone", "second-tts", "female", retires=date(2026, 12, 31), default=True, plays=("nova",)),
        VendorVoice("Joan", "second-tts", "female", ("en-US",), default=True, plays=("nova",)),
        VendorVoice("Amy", "second-tts", "female", ("en-GB",)),
        VendorVoice("Vicki", "second-tts", "female", ("de-DE",)),
        VendorVoice("Hans", "second-tts", "male", ("de-DE",), models=("m-2",), plays=("clerk",)),
        VendorVoice("ended", "third-tts", "male", retires=date(2026, 12, 31), default=True),
    ],
)


def choose(provider, *, own=None, model=MODEL, today=TODAY, **asked):
    return BOOK.choose(provider, WantedVoice(own=own, **asked), model, today)


@pytest.mark.parametrize(
    ("language", "voice"), [(None, "Joan"), ("en", "Joan"), ("en-GB", "Amy"), ("en-AU", "Joan"), ("de", "Vicki")]
)
def test_without_a_voice_the_default_for_the_language_speaks(language, voice):
    assert choose("second-tts", language=language) == Voice(voice, in_book=True)


def test_a_default_that_has_ended_is_passed_over_from_its_day_on():
    end = date(2026, 12, 31)
    assert choose("second-tts", today=date(2026, 12, 30)) == Voice("gone", in_book=True, retires=end)
    assert choose("second-tts", today=date(2026, 12, 31)) == Voice("Joan", in_book=True)


def test_a_provider_whose_last_voice_has_ended_says_so():
    assert choose("third-tts") == "voice: third-tts has no default voice today; name one that it has"


def test_a_provider_without_a_voice_for_the_language_says_so():
    assert choose("second-tts", language="ja") == (
        "voice: second-tts has no default voice for ja today; name one that it has"
    )


def test_a_name_speaks_itself_where_it_is_at_home_and_by_an_equivalent_elsewhere():
    assert choose("first-tts", voice="nova") == Voice("anna", in_book=True)
    assert choose("second-tts", voice="nova") == Voice("Joan", in_book=True, substituted=True)


def test_an_equivalent_speaks_the_language_that_is_asked_for():
    assert choose("second-tts", voice="nova", language="de") == Voice("Vicki", in_book=True, substituted=True)


def test_an_equivalent_speaks_the_language_of_the_voice_when_none_is_asked_for():
    assert choose("second-tts", voice="clerk", model="m-2") == Voice("Hans", in_book=True)
    other = choose("third-tts", voice="clerk", today=date(2026, 12, 1))
    assert other == Voice("ended", in_book=True, substituted=True, retires=date(2026, 12, 31))


def test_a_provider_without_a_voice_of_the_kind_says_so():
    assert choose("second-tts", voice="clerk") == "voice: clerk; second-tts has no male voice for de today"


def test_exactly_a_name_is_spoken_where_it_is_at_home_only():
    assert choose("first-tts", voice="clerk", exact=True) == Voice("otto", "acme", in_book=True)
    assert choose("third-tts", voice="clerk", exact=True) == (
        "voice: clerk; third-tts does not have the voice itself, and voice_policy is exact"
    )


def test_a_voice_itself_is_left_to_its_model_to_speak_another_language_only_when_it_must_be_exactly_that():
    assert choose("first-tts", voice="clerk", language="fr", exact=True) == Voice("otto", "acme", in_book=True)
    assert choose("first-tts", voice="clerk", language="fr") == "voice: clerk; first-tts has no male voice for fr today"


def test_what_is_no_name_is_a_vendors_own_id_and_stays_as_it_is():
    assert choose("second-tts", voice="someone") == Voice("someone")
    assert choose("first-tts", voice="otto") == Voice("otto", "acme", in_book=True)


def test_an_option_names_the_voice_for_its_provider_alone():
    assert choose("second-tts", own="Amy", voice="nova") == Voice("Amy", in_book=True)


@pytest.mark.parametrize("own", ["", " a", "a ", "é", "a\nb", "x" * 129])
def test_an_option_that_is_no_id_is_refused(own):
    assert choose("second-tts", own=own) == (
        f"options.voice: {own}; second-tts takes a voice's id, 1 to 128 printable characters"
    )
