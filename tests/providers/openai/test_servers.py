"""Servers of OpenAI's shape that an operator describes in JSON: what one becomes, and one clear message per fault."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import ProviderCall, Voice
from mediarelay.providers.catalogue import Model
from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.openai.parsing import MOST_SERVERS, SERVERS_VARIABLE, parse_servers
from mediarelay.request.model import TtsInput
from mediarelay.routing.options import priced, refusal
from mediarelay.vocabulary.outcome import Failure, Outcome
from mediarelay.voices.book import WantedVoice
from mediarelay.voices.parsing import book_with

FAST = {"id": "fast", "limits": {"text_characters": 300}, "prices": {"per_million_characters": 4}}
ACME: dict[str, Any] = {
    "name": "acme",
    "base_url": "https://tts.acme.example/v1/",
    "models": [FAST, {**FAST, "id": "fine", "default": True, "retires": "2027-06-30", "voices": ["olga", "boris"]}],
    "voices": ["anna", "boris"],
    "formats": ["wav"],
    "speed": False,
    "errors": {"no_more_minutes": "quota_exhausted"},
}


def written(*entries: object) -> str:
    return json.dumps(entries)


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in ACME.items() if key != name}


def call(model: str, **fields: Any) -> ProviderCall:
    added = parse_servers(written(ACME))
    book, _ = book_with(None, ["acme-tts"], added)
    given = TtsInput(**{"text": "hello", "format": "wav", **fields})
    voice = book.choose("acme-tts", WantedVoice(given.voice), model, date(2026, 12, 1))
    assert isinstance(voice, Voice)
    return ProviderCall("job-1", given, added.models["acme-tts"][model], voice=voice)


def test_an_entry_is_a_vendor_with_one_provider_and_its_models() -> None:
    found = parse_servers(written(ACME))
    (vendor,) = found.vendors
    assert (found.faults, list(found.providers)) == ({}, ["acme-tts"])
    assert (vendor.name, vendor.base_urls) == ("acme", {"acme": "https://tts.acme.example/v1"})
    assert vendor.credentials == ApiKeys("ACME_API_KEYS", ("ACME_API_KEY",))
    fast, fine = found.models["acme-tts"].values()
    assert (fast.default, fine.default, fine.retires) == (False, True, date(2027, 6, 30))


def test_its_provider_does_as_the_entry_says() -> None:
    provider = parse_servers(written(ACME)).providers["acme-tts"]
    assert provider.build_request(call("fast")).json == {
        "model": "fast",
        "input": "hello",
        "response_format": "wav",
        "voice": "anna",
    }
    assert provider.build_request(call("fine")).json["voice"] == "olga"
    assert provider.estimate_usd(call("fast")) == pytest.approx(5 * 4e-6)
    refusals = [{"text": "x" * 301}, {"format": "mp3"}, {"speed": 2.0}, {"voice": "nobody"}]
    assert all(provider.refusal(call("fast", **fields)) for fields in refusals)


def test_a_model_speaks_with_its_own_voices_and_two_may_share_one() -> None:
    book, _ = book_with(None, ["acme-tts"], parse_servers(written(ACME)))

    def spoken(voice: str, model: str) -> Voice | str:
        return book.choose("acme-tts", WantedVoice(voice), model, date(2026, 12, 1))

    assert spoken("olga", "fast") == "voice: olga; acme-tts has it for fine only, not for fast"
    assert [spoken("boris", model) for model in ("fast", "fine")] == [Voice("boris", in_book=True)] * 2


def test_a_code_of_its_own_means_what_the_entry_says() -> None:
    provider = parse_servers(written(ACME)).providers["acme-tts"]
    body = json.dumps({"error": {"message": "", "code": "no_more_minutes"}}).encode()
    failure = provider.parse_response(HttpReply(400, {"content-type": "application/json"}, body), call("fast"))
    assert isinstance(failure, Failure)
    assert (failure.outcome, failure.certain) == (Outcome.QUOTA_EXHAUSTED, True)


def test_what_is_left_out_is_as_with_openai() -> None:
    bare = {**ACME, "formats": ["mp3", "wav"], "speed": True, "instructions": True, "models": [FAST]}
    provider = parse_servers(written(bare)).providers["acme-tts"]
    asked = call("fast", format="mp3", speed=2.0, instructions="softly")
    assert provider.refusal(asked) is None
    assert provider.build_request(asked).json.items() >= {"speed": 2.0, "instructions": "softly"}.items()
    assert parse_servers(written(bare)).models["acme-tts"]["fast"].default


def test_its_voices_stand_in_the_book_and_one_of_known_gender_may_speak_for_a_name_of_ours() -> None:
    voices = ["anna", {"id": "olga", "gender": "female", "plays": ["nova"]}, {"id": "jan", "languages": ["nl"]}]
    book, faults = book_with(None, ["acme-tts"], parse_servers(written({**ACME, "models": [FAST], "voices": voices})))

    def spoken(**asked: Any) -> Voice | str:
        return book.choose("acme-tts", WantedVoice(**asked), "fast", date(2026, 12, 1))

    assert faults == ()
    assert spoken() == Voice("anna", in_book=True)
    assert spoken(voice="nova") == Voice("olga", in_book=True, substituted=True)
    assert spoken(language="nl") == Voice("jan", in_book=True)
    assert spoken(voice="onyx") == "voice: onyx; acme-tts has no male voice for en today"


def test_an_operators_voice_may_be_at_a_server_that_is_added() -> None:
    own = {"chief": {"gender": "male", "at": {"acme-tts": {"id": "boss", "models": ["fast"]}}}}
    book, faults = book_with(own, ["acme-tts"], parse_servers(written(ACME)))
    assert faults == ()
    assert book.choose("acme-tts", WantedVoice("chief"), "fast", date(2026, 12, 1)) == Voice("boss", in_book=True)


WARMTH = {"name": "warmth", "type": "number", "least": 0, "most": 2}
FINISH = {"name": "finish", "values": ["plain", "studio"], "price": {"studio": {"times": 1.5}}}


def test_its_own_options_are_allowed_by_name_at_the_price_that_the_entry_says() -> None:
    models = [{**FAST, "options": [WARMTH, FINISH], "most_usd": 0.01}, {**FAST, "id": "fine"}]
    found = parse_servers(written({**ACME, "models": models}))
    provider, (fast, fine) = found.providers["acme-tts"], found.models["acme-tts"].values()
    plain = ProviderCall("job-1", TtsInput(text="hello", format="wav"), fast, voice=Voice("anna"))

    def asked(model: Model, **options: Any) -> ProviderCall:
        return priced(replace(plain, model=model, options=options))

    assert refusal(provider, asked(fast, warmth=1.5, finish="studio"), passing=False) is None
    assert provider.estimate_usd(asked(fast, finish="studio")) == pytest.approx(1.5 * provider.estimate_usd(plain))
    assert "(allowed: finish, voice, warmth; " in (refusal(provider, asked(fast, hiss=1), passing=False) or "")
    assert refusal(provider, asked(fast, hiss=1), passing=True) is None
    assert provider.estimate_usd(asked(fast, hiss=1)) == 0.01
    assert refusal(provider, asked(fine, hiss=1), passing=True)  # nobody said what a call costs at most
    assert "made of the request" in (refusal(provider, asked(fast, input="x"), passing=True) or "")


def test_no_text_and_an_empty_list_add_nothing() -> None:
    assert parse_servers(" ").vendors == parse_servers("[]").vendors == ()


@pytest.mark.parametrize(
    ("entry", "subject", "words"),
    [
        ("acme", SERVERS_VARIABLE, "[0]: entry: Input should be an object"),
        (without("name"), SERVERS_VARIABLE, "[0]: name is missing"),
        ({**ACME, "name": "Acme!"}, SERVERS_VARIABLE, "[0]: name: must be a lower-case letter and up to 30 "),
        ({**ACME, "name": "openai"}, SERVERS_VARIABLE, "[0]: name: is taken"),
        ({**ACME, "name": "fal-queue"}, "fal-queue", "[0]: name: is taken"),
        (without("models"), "acme", "[0]: models is missing"),
        ({**ACME, "models": []}, "acme", "[0]: models: List should have at least 1 item"),
        ({**ACME, "models": [FAST, FAST]}, "acme", "[0]: models: each id once"),
        ({**ACME, "models": [{"id": "m"}]}, "acme", "[0]: models.0.prices is missing"),
        ({**ACME, "models": [{"id": "m", "prices": {"per_second": 1}}]}, "acme", "[0]: models.0.prices.per_second."),
        ({**ACME, "models": [{**FAST, "limits": {"text_characters": 0}}]}, "acme", "[0]: models.0.limits."),
        (
            {**ACME, "models": [{**FAST, "options": [{"name": "x"}]}]},
            "acme",
            "[0]: models.0.options.0: Value error, either",
        ),
        (
            {**ACME, "models": [{**FAST, "options": [WARMTH, WARMTH]}]},
            "acme",
            "[0]: models.0.options: Value error, each ",
        ),
        (
            {**ACME, "models": [{**FAST, "options": [{**WARMTH, "price": "counted"}]}]},
            "acme",
            "[0]: models.0.options: counted: ",
        ),
        ({**ACME, "voices": ["two\nlines"]}, "acme", "[0]: voices.0.id: must be printable ASCII"),
        ({**ACME, "voices": [{"id": "x", "gender": "robot"}]}, "acme", "[0]: voices.0.gender: Input should be "),
        ({**ACME, "formats": ["ogg"]}, "acme", "[0]: formats.0: Input should be 'mp3', 'opus', "),
        ({**ACME, "speed": "no"}, "acme", "[0]: speed: Input should be a valid boolean"),
        ({**ACME, "headers": {}}, "acme", "[0]: headers is not known"),
        ({**ACME, "errors": {"x": "delivered"}}, "acme", "[0]: errors.x: Input should be 'throttled', "),
        ({**ACME, "keys": "AWS_SESSION_TOKEN"}, "acme", "[0]: keys: must not be AWS's"),
        ({**ACME, "keys": "acme-keys"}, "acme", "[0]: keys: must be a name in capitals that ends in _KEYS"),
        ({**ACME, "keys": "OPENAI_API_KEYS"}, "acme", "[0]: keys: is read for another vendor"),
    ],
)
def test_a_fault_is_one_message_that_names_entry_and_field(entry: object, subject: str, words: str) -> None:
    found = parse_servers(written(entry))
    assert found.vendors == ()
    assert list(found.faults) == [subject]
    assert found.faults[subject].startswith(SERVERS_VARIABLE + words)
    assert "\n" not in found.faults[subject]


@pytest.mark.parametrize(
    "url",
    [
        *("http://tts.acme.example/v1", "ftp://tts.acme.example", "//tts.acme.example", "tts.acme.example", "https://"),
        *("https://user:fake-pass@tts.acme.example", "https://tts.acme.example?key=fake-pass", "https://h/#a"),
        *("https://127.0.0.1/v1", "https://localhost", "http://[::1]:8000", "https://127.1.2.3", "https://0.0.0.0"),
        *("https://169.254.169.254/latest", "https://[fe80::1]", "https://h:99999", "https://h /", "https://h\n/"),
    ],
)
def test_an_address_is_https_to_another_host_and_is_never_shown(url: str) -> None:
    found = parse_servers(written({**ACME, "base_url": url}))
    assert found.vendors == ()
    assert "base_url: must be an https address of a host" in found.faults["acme"]
    assert "fake-pass" not in found.faults["acme"]
    assert "169.254" not in found.faults["acme"]


@pytest.mark.parametrize(
    ("url", "taken"),
    [("http://127.0.0.1:8000/v1", True), ("http://localhost/v1", True), ("http://tts.acme.example/v1", False)],
)
def test_on_the_local_stage_this_machine_may_be_called_by_http(url: str, *, taken: bool) -> None:
    assert bool(parse_servers(written({**ACME, "base_url": url}), local=True).vendors) is taken


def test_a_faulty_entry_harms_no_other() -> None:
    other = {**ACME, "name": "other"}
    found = parse_servers(written({**ACME, "voices": []}, other, "x", {**other, "keys": "THIRD_API_KEYS"}))
    assert [vendor.name for vendor in found.vendors] == ["other"]
    assert set(found.faults) == {"acme", SERVERS_VARIABLE}
    assert found.faults[SERVERS_VARIABLE].split("; ")[1] == f"{SERVERS_VARIABLE}[3]: name: is taken"


def test_two_servers_may_not_read_the_same_keys() -> None:
    found = parse_servers(written(ACME, {**ACME, "name": "other", "keys": "ACME_API_KEYS"}))
    assert list(found.faults) == ["other"]


@pytest.mark.parametrize("text", ["{", "{}", '"acme"', "null", json.dumps([ACME] * (MOST_SERVERS + 1)), "[" * 100_000])
def test_what_is_no_list_of_servers_is_one_fault(text: str) -> None:
    found = parse_servers(text)
    assert found.vendors == ()
    assert found.faults == {SERVERS_VARIABLE: f"{SERVERS_VARIABLE}: must be a JSON list of at most 16 servers"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ACME, "x"]), inner, max_size=4),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(list(ACME)), JSON), st.sampled_from(["", "name", "models"]))
def test_no_entry_makes_it_raise(changes: dict[str, Any], dropped: str) -> None:
    entry = {key: value for key, value in {**ACME, **changes}.items() if key != dropped}
    found = parse_servers(written(entry))
    assert len(found.vendors) + len(found.faults) == 1
