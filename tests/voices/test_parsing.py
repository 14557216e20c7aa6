from __future__ import annotations

import json
from datetime import date

import pytest

from mediarelay.providers.api import Voice
from mediarelay.voices.book import WantedVoice
from mediarelay.voices.parsing import book_with, shipped_book

SPEAKERS = {"openai-tts", "elevenlabs-tts", "gemini-tts"}
TODAY = date(2027, 1, 7)
GOOD = {
    "narrator": {
        "gender": "male",
        "languages": ["de", "en-GB"],
        "at": {
            "elevenlabs-tts": {
                "id": "Own0Voice0Of0Account",
                "account": "acme",
                "models": ["eleven_v3"],
                "retires": "2027-06-01",
                "default": True,
            },
            "openai-tts": "onyx",
        },
    }
}


def reasons(entry, name="guest"):
    return book_with({name: entry}, SPEAKERS)[1]


@pytest.mark.parametrize("written", [GOOD, json.dumps(GOOD)], ids=["decoded", "text"])
def test_an_operators_voice_is_chosen_by_its_name(written):
    book, faults = book_with(written, SPEAKERS)
    assert faults == ()
    assert book.choose("elevenlabs-tts", WantedVoice("narrator"), "eleven_v3", TODAY) == Voice(
        "Own0Voice0Of0Account", "acme", in_book=True, retires=date(2027, 6, 1)
    )
    assert book.choose("openai-tts", WantedVoice("narrator"), "tts-1", TODAY) == Voice("onyx", in_book=True)
    assert book.choose("gemini-tts", WantedVoice("narrator"), "gemini-3.8-flash-tts", TODAY).substituted


def test_an_operators_default_comes_before_the_shipped_one():
    book, _ = book_with(GOOD, SPEAKERS)
    assert book.choose("elevenlabs-tts", WantedVoice(), "eleven_v3", date(2026, 12, 1)).id == "Own0Voice0Of0Account"


def test_the_shipped_voices_stay_as_they_are():
    book, _ = book_with(GOOD, SPEAKERS)
    assert book.choose("gemini-tts", WantedVoice("alloy"), "gemini-3.8-flash-tts", TODAY).id == "Kore"


@pytest.mark.parametrize("written", [None, "", "  ", {}])
def test_without_additions_the_book_is_the_shipped_one(written):
    assert book_with(written, SPEAKERS) == (shipped_book(), ())


@pytest.mark.parametrize("written", ["{", "[]", 7, ["narrator"], '"narrator"', "[" * 100_000])
def test_what_is_no_object_is_said_once_and_leaves_the_shipped_book(written):
    assert book_with(written, SPEAKERS) == (shipped_book(), ("VOICES: must be a JSON object of voices by name",))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"at": {"openai-tts": "onyx"}}, "gender: Field required"),
        ({"gender": "soft", "at": {"openai-tts": "onyx"}}, "gender: Input should be 'female' or 'male'"),
        ({"gender": "male", "at": {}}, "at: Dictionary should have at least 1 item after validation, not 0"),
        ({"gender": "male", "at": {"openai-tts": ""}}, "at.openai-tts.id: "),
        ({"gender": "male", "at": {"openai-tts": {"id": "x", "acount": "a"}}}, "at.openai-tts.acount: Extra inputs"),
        ({"gender": "male", "at": {"openai-tts": "onyx"}, "languages": ["English"]}, "languages.0: "),
        ({"gender": "male", "at": {"openai-tts": {"id": "x", "retires": "soon"}}}, "at.openai-tts.retires: "),
        ({"gender": "male", "at": {"nobody-tts": "x"}}, "at.nobody-tts: no such provider of speech; there are elevenl"),
        (
            {"gender": "male", "at": {"openai-tts": {"id": "onyx", "models": ["tts-9"]}}},
            "at.openai-tts.models: tts-9 is not in the catalogue; there are gpt-4o-mini-tts, ",
        ),
        ("onyx", "entry: "),
    ],
)
def test_a_bad_entry_gets_one_message_that_names_its_field(entry, reason):
    (said,) = reasons(entry)
    assert said.startswith(f"VOICES.guest.{reason}")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("alloy", "VOICES.alloy: is a name of the book already; choose another"),
        ("a b", "VOICES.a b: a name is 1 to 64 letters, digits, '_' or '-'"),
    ],
)
def test_a_bad_name_is_refused(name, reason):
    assert reasons({"gender": "male", "at": {"openai-tts": "onyx"}}, name) == (reason,)


def test_a_bad_entry_harms_no_other():
    book, faults = book_with({"guest": {"gender": "soft", "at": {"openai-tts": "x"}}, **GOOD}, SPEAKERS)
    assert len(faults) == 1
    assert "narrator" in book.names
    assert "guest" not in book.names
