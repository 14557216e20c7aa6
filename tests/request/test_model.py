from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from mediarelay.request import model as contract
from mediarelay.request.model import (
    IN_WORDS,
    MEDIA_REQUEST,
    AudioRequest,
    BaseRequest,
    ImageRequest,
    TtsRequest,
    VideoRequest,
)
from mediarelay.request.parsing import parse_message
from mediarelay.vocabulary.kinds import Kind, OnAmbiguous, Strategy

MINIMAL: dict[str, tuple[type[BaseRequest], dict[str, Any]]] = {
    "tts": (TtsRequest, {"text": "hello"}),
    "image": (ImageRequest, {"prompt": "a fox"}),
    "video": (VideoRequest, {"prompt": "a fox runs"}),
    "audio": (AudioRequest, {"prompt": "a fox barks"}),
}
FULL_INPUT: dict[str, dict[str, Any]] = {
    "tts": {
        "text": "x",
        "voice": "coral",
        "voice_policy": "exact",
        "language": "pt-BR",
        "speed": 2,
        "format": "wav",
        "sample_rate": 16_000,
        "loudness": -16.5,
        "timestamps": "word",
        "instructions": "calm",
    },
    "image": {"prompt": "x", "size": "1536x1024", "n": 10, "quality": "high", "format": "webp"},
    "video": {
        "prompt": "x",
        "duration": 15,
        "aspect_ratio": "9:16",
        "mode": "pro",
        "image_url": "https://example.org/a",
    },
    "audio": {"prompt": "x", "duration": 0.5, "type": "sfx"},
}


def request(**fields: Any) -> Any:
    return parse_message(json.dumps({"kind": "tts", "input": {"text": "hello"}, **fields}))


def test_a_message_written_by_hand_is_enough() -> None:
    found = parse_message('{"kind":"tts","input":{"text":"hello"}}')
    assert isinstance(found, TtsRequest)
    assert found.model_dump(exclude={"input"}) == {
        "request_id": None,
        "providers": None,
        "strategy": Strategy.FASTEST,
        "model": {},
        "options": {},
        "timeout_seconds": None,
        "on_ambiguous": OnAmbiguous.FAIL,
        "max_cost_usd": None,
        "cache_seconds": None,
        "on_budget": None,
        "tenant": None,
        "metadata": {},
        "client": None,
        "reply_to": None,
        "callback_url": None,
        "callback_body": None,
        "kind": Kind.TTS,
    }
    assert found.input.model_dump() == {
        "text": "hello",
        "voice": None,
        "voice_policy": "equivalent",
        "language": None,
        "speed": 1.0,
        "format": "mp3",
        "sample_rate": None,
        "loudness": None,
        "timestamps": None,
        "instructions": None,
    }


@pytest.mark.parametrize("kind", MINIMAL)
def test_every_kind_needs_no_more_than_what_to_make(kind: str) -> None:
    model, asked = MINIMAL[kind]
    found = parse_message(json.dumps({"kind": kind, "input": asked}))
    assert type(found) is model
    assert found.input.model_dump(exclude_unset=True) == asked


@pytest.mark.parametrize("kind", MINIMAL)
def test_every_field_of_an_input_can_be_set(kind: str) -> None:
    found = parse_message(json.dumps({"kind": kind, "input": FULL_INPUT[kind]}))
    assert found.input.model_dump() == FULL_INPUT[kind]
    assert set(FULL_INPUT[kind]) == set(type(found.input).model_fields)


def test_every_common_field_can_be_set() -> None:
    fields = {
        "request_id": "order-17_b.2",
        "providers": ["elevenlabs-tts", "openai-tts"],
        "strategy": "ordered",
        "model": {"fal-flux": "fal-ai/flux-pro/v1.1"},
        "options": {"openai-tts": {"voice": {"id": "voice_1"}}},
        "timeout_seconds": 86_400,
        "on_ambiguous": "resubmit",
        "max_cost_usd": 0.25,
        "cache_seconds": 3600,
        "on_budget": "wait",
        "tenant": "acme:eu@shop.1",
        "metadata": {"order": 17, "price": 12.5, "tags": ["a", None, True], "שם": "ü"},
        "client": "studio-7",
        "reply_to": f"mediarelay-reply-{'0' * 32}",
        "callback_url": "https://hooks.example.com/media?of=17",
        "callback_body": "thin",
    }
    found = request(**fields)
    assert found.model_dump(mode="json", exclude={"kind", "input"}) == fields
    assert set(fields) == set(BaseRequest.model_fields)


def test_a_request_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        request().tenant = "other"


def test_metadata_of_exactly_2048_bytes_is_allowed() -> None:
    text = "é" * 1020  # two bytes each, and {"a":""} around them
    assert request(metadata={"a": text}).metadata == {"a": text}


@pytest.mark.parametrize(
    "value", [0, -0.0, 10**38 - 1, -(10**38) + 1, 1.5e-119, -1e119, True, None, "", [], {}], ids=repr
)
def test_metadata_may_hold_whatever_the_jobs_table_can(value: object) -> None:
    assert request(metadata={"a": value}).metadata == {"a": value}


def test_metadata_may_be_nested_sixteen_levels_deep() -> None:
    nested: object = 1
    for _ in range(16):
        nested = {"a": nested}
    assert request(metadata=nested).metadata == nested


def test_every_pattern_of_the_contract_can_be_said_in_words() -> None:
    patterns = _patterns(MEDIA_REQUEST.json_schema())
    assert patterns == set(IN_WORDS)
    assert all(getattr(contract, name) in IN_WORDS for name in ("REQUEST_ID", "MODEL", "VOICE", "HTTPS"))


def _patterns(schema: object) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_patterns, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["pattern"]} if isinstance(schema.get("pattern"), str) else set()
    by_name = schema.get("patternProperties", {})
    return own.union(by_name, *map(_patterns, schema.values()))
