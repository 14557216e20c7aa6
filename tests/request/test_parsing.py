from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.request.model import MEDIA_REQUEST, MediaRequest, TtsRequest
from mediarelay.request.parsing import BODY_LIMIT_BYTES, parse_message, salvage
from mediarelay.vocabulary.errors import RequestRejected

EXAMPLE = '{"kind":"tts","input":{"text":"hello"}}'
TOP = (
    "kind, input, request_id, providers, strategy, model, options, timeout_seconds, on_ambiguous, max_cost_usd, "
    "cache_seconds, on_budget, tenant, metadata, client, reply_to, callback_url, callback_body"
)
TTS = "text, voice, voice_policy, language, speed, format, sample_rate, loudness, timestamps, instructions"
KINDS = "must be one of tts, image, video, audio"
PROVIDER_NAME = "must be a provider's name, such as openai-tts: lower-case letters and digits, joined by '-'"
RANGE = "must have integers of at most 38 digits, and other numbers from 1e-120 to 1e120"


def tts(**fields: Any) -> str:
    return json.dumps({"kind": "tts", "input": {"text": "hello"}, **fields})


def tts_input(**fields: Any) -> str:
    return json.dumps({"kind": "tts", "input": {"text": "hello", **fields}})


def image(**fields: Any) -> str:
    return json.dumps({"kind": "image", "input": {"prompt": "a fox", **fields}})


def enveloped(message: str, **fields: Any) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "1", "Message": message, **fields})


def rejection(body: str) -> tuple[str, str]:
    with pytest.raises(RequestRejected) as rejected:
        parse_message(body)
    return rejected.value.code, rejected.value.message


# --- what is no JSON object -----------------------------------------------------------------------------------------

NOT_JSON = {
    "form data": ("kind=tts", "the body is not JSON: expected value at line 1 column 1"),
    "cut off": (EXAMPLE[:-1], "the body is not JSON: EOF while parsing an object at line 1 column 38"),
    "two documents": (f"{EXAMPLE}\n{EXAMPLE}", "the body is not JSON: trailing characters at line 2 column 1"),
    "an array": (f"[{EXAMPLE}]", f"the body must be a JSON object, such as {EXAMPLE}"),
    "JSON in a JSON string": (json.dumps(EXAMPLE), f"the body must be a JSON object, such as {EXAMPLE}"),
    "null": ("null", f"the body must be a JSON object, such as {EXAMPLE}"),
    "empty": ("", f"the body is empty; it must be a JSON object, such as {EXAMPLE}"),
    "white space": (" \n", f"the body is empty; it must be a JSON object, such as {EXAMPLE}"),
    "byte order mark": ("\ufeff" + EXAMPLE, "the body begins with a byte order mark; publish UTF-8 without one"),
    "NaN": (
        tts(metadata={"a": float("nan")}),
        "the body is not JSON: it holds NaN or Infinity; publish null, or leave the field out",
    ),
    "Infinity": (
        tts_input(speed=float("-inf")),
        "the body is not JSON: it holds NaN or Infinity; publish null, or leave the field out",
    ),
    "10,000 objects": (
        '{"a":' * 10_000 + "1" + "}" * 10_000,
        "the body is not JSON: recursion limit exceeded at line 1 column 1006",
    ),
    "10,000 arrays": ("[" * 10_000, "the body is not JSON: recursion limit exceeded at line 1 column 202"),
    "a lone surrogate": (
        '{"kind":"\ud800"}',
        "the body is not Unicode text: half of a surrogate pair at character 10",
    ),
    "an escaped lone surrogate": (
        '{"kind":"\\ud800"}',
        "the body is not JSON: unexpected end of hex escape at line 1 column 16",
    ),
    "a raw line break in a string": (
        '{"kind":"tts\n"}',
        "the body is not JSON: control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0",
    ),
}


@pytest.mark.parametrize("case", NOT_JSON)
def test_what_is_no_json_object_is_told_apart(case: str) -> None:
    body, message = NOT_JSON[case]
    assert rejection(body) == ("not_json", message)
    assert salvage(body) == {}


def test_a_body_beyond_768_kib_is_too_large_however_its_characters_are_counted() -> None:
    body = EXAMPLE.replace("hello", "é" * (BODY_LIMIT_BYTES // 2))
    size = len(body.encode())
    assert rejection(body) == ("too_large", f"the body is {size} bytes; at most 786432 are allowed")
    fits = EXAMPLE + " " * (BODY_LIMIT_BYTES - len(EXAMPLE))
    assert isinstance(parse_message(fits), TtsRequest)


# --- what is no request ---------------------------------------------------------------------------------------------

INVALID = {
    "unknown field": (tts(colour="blue"), f"colour: unknown field; allowed: {TOP}"),
    "unknown input field": (tts_input(voise="coral"), f"input.voise: unknown field; allowed: {TTS}"),
    "another kind's field": (tts_input(n=1), f"input.n: unknown field; allowed: {TTS}"),
    "a field called like the kind": (tts_input(tts=1), f"input.tts: unknown field; allowed: {TTS}"),
    "input missing": ('{"kind":"tts"}', "input: is missing"),
    "text missing": ('{"kind":"tts","input":{}}', "input.text: is missing"),
    "input is text": (tts(input="hello"), "input: must be an object"),
    "number as text": (image(n="2"), "input.n: must be a valid integer"),
    "true as number": (image(n=True), "input.n: must be a valid integer"),
    "fraction as integer": (image(n=1.5), "input.n: must be a valid integer"),
    "true as fraction": (tts_input(speed=True), "input.speed: must be a valid number"),
    "number as string": (tts_input(text=1), "input.text: must be a valid string"),
    "null where something must be": (image(n=None), "input.n: must be a valid integer"),
    "too few": (image(n=0), "input.n: must be greater than or equal to 1"),
    "too many": (image(n=11), "input.n: must be less than or equal to 10"),
    "no text": (tts_input(text=""), "input.text: must have at least 1 character"),
    "blank text": (tts_input(text=" \n"), "input.text: must be more than white space"),
    "too long text": (tts_input(text="x" * 100_001), "input.text: must have at most 100000 characters"),
    "format": (tts_input(format="ogg"), "input.format: must be 'mp3', 'wav', 'opus', 'aac', 'flac' or 'pcm'"),
    "voice": (tts_input(voice="../x"), "input.voice: must be 1 to 64 letters, digits, '_' or '-'"),
    "language": (tts_input(language="English"), "input.language: must be a language tag such as en, pt-BR or zh-Hant"),
    "size": (
        image(size="1024*1024"),
        "input.size: must be auto, or WIDTHxHEIGHT in pixels such as 1024x1024, each from 10 to 9999",
    ),
    "image_url": (
        '{"kind":"video","input":{"prompt":"x","image_url":"file:///x"}}',
        "input.image_url: must be a URL that begins with https://",
    ),
    "strategy": (tts(strategy="best"), "strategy: must be 'fastest', 'ordered', 'cheapest' or 'all'"),
    "a price of nothing": (tts(max_cost_usd=0), "max_cost_usd: must be greater than 0"),
    "on_ambiguous": (tts(on_ambiguous=True), "on_ambiguous: must be 'fail' or 'resubmit'"),
    "request_id": (
        tts(request_id="a b"),
        "request_id: must be 1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit",
    ),
    "request_id with a line break": (
        tts(request_id="abc\n"),
        "request_id: must be 1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit",
    ),
    "tenant": (
        tts(tenant="-"),
        "tenant: must be 1 to 64 letters, digits, '_', '.', ':', '@' or '-', the first a letter or digit",
    ),
    "providers is text": (tts(providers="openai-tts"), "providers: must be a valid array"),
    "providers is empty": (tts(providers=[]), "providers: must have at least 1 item, not 0"),
    "a provider twice": (tts(providers=["a", "a"]), "providers: must name each provider only once"),
    "a provider's name": (
        tts(providers=["openai-tts", "Open AI"]),
        f"providers.1: {PROVIDER_NAME}",
    ),
    "a provider's name as key": (
        tts(model={"Open AI": "x"}),
        f"model.Open?AI: the name {PROVIDER_NAME}",
    ),
    "model": (
        tts(model={"openai-tts": "tts 1"}),
        "model.openai-tts: must be 1 to 100 letters, digits, '_', '.', ':', '/' or '-', the first a letter or digit",
    ),
    "options of a provider": (tts(options={"tts": 1}), "options.tts: must be an object"),
    "timeout": (tts(timeout_seconds=0), "timeout_seconds: must be greater than or equal to 1"),
    "metadata is a list": (tts(metadata=[]), "metadata: must be an object"),
    "metadata of 2049 bytes": (
        tts(metadata={"a": "é" * 1020 + "x"}),
        "metadata: 2049 bytes of JSON; at most 2048 are allowed",
    ),
    "large options": (
        tts(options={"openai-tts": {"a": "x" * 4096}}),
        "options: 4119 bytes of JSON; at most 4096 are allowed",
    ),
    "deep metadata": (
        tts(metadata=json.loads('{"a":' * 17 + "1" + "}" * 17)),
        "metadata: must be nested at most 16 levels deep",
    ),
    "an empty name": (tts(metadata={"a": [{"": 1}]}), "metadata: must have no field with an empty name"),
    "39 digits": (tts(metadata={"a": 10**38}), f"metadata: {RANGE}"),
    "an overflowing number": (EXAMPLE[:-1] + ',"metadata":{"a":-1e400}}', f"metadata: {RANGE}"),
    "a vanishing number": (tts(options={"fal-flux": {"a": -1e-121}}), f"options: {RANGE}"),
    "two faults": (
        json.dumps({"kind": "tts", "input": {"text": 1}, "tenant": 2}),
        "tenant: must be a valid string; input.text: must be a valid string",
    ),
    "six faults": (
        tts(a=1, b=1, c=1, d=1, e=1, f=1),
        "; ".join(f"{name}: unknown field; allowed: {TOP}" for name in "abcd") + "; and 2 more",
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_request_gets_one_message_that_says_what_is_allowed(case: str) -> None:
    body, message = INVALID[case]
    assert rejection(body) == ("invalid_request", message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"kind":"poem","input":{}}', f"kind: {KINDS}"),
        ('{"kind":"TTS","input":{}}', f"kind: {KINDS}"),
        ('{"kind":["tts"],"input":{}}', f"kind: {KINDS}"),
        ('{"kind":null}', f"kind: {KINDS}"),
        ("{}", f"kind: is missing; {KINDS}"),
    ],
)
def test_without_a_known_kind_nothing_else_is_judged(body: str, message: str) -> None:
    assert rejection(body) == ("unknown_kind", message)


def test_of_a_name_given_twice_the_last_counts_for_every_reader() -> None:
    body = '{"kind":"image","tenant":"a","kind":"tts","tenant":"b","input":{"text":"one"},"input":{"text":"two"}}'
    found = parse_message(body)
    assert isinstance(found, TtsRequest)
    assert (found.input.text, found.tenant) == ("two", "b")
    assert salvage(body) == {"kind": "tts", "tenant": "b"}


# --- hostile text ---------------------------------------------------------------------------------------------------

HOSTILE = ["a\nb", "\x1b[31mred", "\x00", "\u202eabc", "../../etc", "<script>", "a" * 5000, "$(x)", "'; drop", "\u2028"]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_never_comes_back_as_it_was_wherever_it_stands(text: str) -> None:
    bodies = [
        *(json.dumps({"kind": "tts", "input": {"text": "x", text: 1}, text: 2}), text, json.dumps(text)),
        *(tts(**{name: text}) for name in ("kind", "input", "request_id", "strategy", "model", "timeout_seconds")),
        *(tts(**{name: {text: 1}}) for name in ("model", "options", "tenant")),
        *(tts(providers=[text]), tts(model={"openai-tts": text[:4000] + " "}), enveloped(text)),
    ]
    for body in bodies:
        _, message = rejection(body)
        assert text not in message
        assert text[:60] not in message
        assert message.isprintable()
        assert len(message) <= 1000


def test_an_odd_field_name_is_shown_without_its_odd_characters_and_a_long_one_in_part() -> None:
    assert rejection(tts(**{"<b>\u202e": 1}))[1].startswith("?b??: unknown field")
    assert rejection(tts(**{"n" * 41: 1}))[1].startswith("n" * 40 + "…: unknown field")
    assert rejection(tts(**{"n" * 40: 1}))[1].startswith("n" * 40 + ": unknown field")


def test_no_value_is_repeated() -> None:
    secret = "not-for-logs"
    for body in (tts(tenant=[secret]), tts(strategy=secret), tts(kind=secret), image(size=secret), tts(input=secret)):
        assert secret not in rejection(body)[1]


# --- envelopes ------------------------------------------------------------------------------------------------------


def test_a_request_may_come_in_an_sns_envelope() -> None:
    assert parse_message(enveloped(EXAMPLE, TopicArn="arn:x")) == parse_message(EXAMPLE)


def test_a_message_in_an_envelope_that_is_not_json_is_blamed_itself() -> None:
    body = enveloped("hello")
    message = "the Message in the SNS envelope is not JSON: expected value at line 1 column 1"
    assert rejection(body) == ("not_json", message)
    assert rejection(enveloped("")) == (
        "not_json",
        f"the Message in the SNS envelope is empty; it must be a JSON object, such as {EXAMPLE}",
    )
    assert salvage(body) == {}


def test_a_request_that_speaks_of_notifications_is_no_envelope() -> None:
    body = tts(metadata={"Type": "Notification", "Message": EXAMPLE})
    assert parse_message(body).metadata["Type"] == "Notification"


def test_an_envelope_without_a_message_is_judged_as_a_request() -> None:
    assert rejection('{"Type":"Notification"}') == ("unknown_kind", f"kind: is missing; {KINDS}")


# --- what is left of a rejected request -----------------------------------------------------------------------------


def test_what_is_sound_in_a_rejected_request_is_kept() -> None:
    body = tts(request_id="order-17", tenant="acme", colour="blue")
    assert salvage(body) == {"request_id": "order-17", "tenant": "acme", "kind": "tts"}
    assert salvage(enveloped(body)) == salvage(body)


def test_what_its_publisher_knows_a_rejected_request_by_is_kept() -> None:
    known = {"client": "studio-7", "reply_to": f"mediarelay-reply-{'0' * 32}", "metadata": {"order": 7}}
    assert salvage(tts(**known, colour="blue")) == {**known, "kind": "tts"}


@pytest.mark.parametrize(
    "fields",
    [
        {"request_id": "../x", "tenant": "a b", "kind": "poem"},
        {"request_id": 17, "tenant": None, "kind": ["tts"]},
        {"request_id": "x" * 65, "tenant": {"a": 1}, "kind": "tts\n"},
        {"client": "a b", "reply_to": "requests", "metadata": {"a": "x" * 2048}},
    ],
)
def test_what_is_not_sound_is_not(fields: dict[str, object]) -> None:
    assert salvage(json.dumps(fields)) == {}


# --- anything at all ------------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from([*TOP.split(", "), *TTS.split(", "), "Type", "Message"]) | st.text(max_size=60)
near_requests = st.fixed_dictionaries(
    {"kind": st.sampled_from(["tts", "image", "video", "audio"]) | json_values},
    optional={"input": st.dictionaries(names, json_values, max_size=4), "metadata": json_values, "tenant": st.text()},
).flatmap(lambda base: st.dictionaries(names, json_values, max_size=3).map(lambda more: {**more, **base}))
anything = (
    st.text(st.characters(exclude_categories=()), max_size=200)  # lone surrogates too
    | st.binary(max_size=200).map(lambda data: data.decode("utf-8", "surrogateescape"))
    | json_values.map(json.dumps)
    | near_requests.map(json.dumps)
    | near_requests.map(lambda value: enveloped(json.dumps(value)))
)


def judged(body: str) -> MediaRequest | RequestRejected:
    try:
        return parse_message(body)
    except RequestRejected as rejected:
        return rejected


@given(anything)
def test_any_body_is_a_request_or_is_rejected_in_printable_words(body: str) -> None:
    kept, verdict = salvage(body), judged(body)
    assert set(kept) <= {"request_id", "tenant", "kind", "client", "reply_to", "metadata"}
    if isinstance(verdict, RequestRejected):
        assert verdict.code in {"not_json", "unknown_kind", "invalid_request"}
        assert 0 < len(verdict.message) <= 1000
        assert verdict.message.isprintable()
    else:
        assert MEDIA_REQUEST.validate_json(verdict.model_dump_json()) == verdict
        assert kept["kind"] == verdict.kind
