from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mediarelay.providers.catalogue import default_model, models
from mediarelay.providers.registry import ALL_PROVIDERS as PROVIDERS
from mediarelay.providers.registry import by_kind
from mediarelay.request.parsing import parse_message
from mediarelay.vocabulary.errors import RequestRejected
from mediarelay.vocabulary.kinds import Strategy
from tests.builders.calls import calling

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "schemas" / "media-request.schema.json").read_text("utf-8")))
TODAY = date(2026, 11, 1)

FILES = sorted((ROOT / "events" / "requests").iterdir())
BAD = [path for path in FILES if path.name.startswith("bad-")]
GOOD = [path for path in FILES if path not in BAD]

REASONS = {
    "bad-not-json.txt": ("not_json", "the body is not JSON"),
    "bad-too-long.json": ("invalid_request", "input.instructions: must have at most 4096 characters"),
    "bad-unknown-field.json": ("invalid_request", "input.voise: unknown field; allowed: text, voice, "),
    "bad-unknown-kind.json": ("unknown_kind", "kind: must be one of tts, image, video, audio"),
}

each_good = pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
each_bad = pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)


def test_there_are_requests_for_every_provider_and_strategy() -> None:
    requests = [parse_message(path.read_text("utf-8")) for path in GOOD]
    assert len(requests) >= 12
    assert {name for request in requests for name in request.providers or ()} == set(PROVIDERS)
    assert {request.strategy for request in requests} == set(Strategy)


@each_good
def test_a_good_request_is_what_the_contract_and_its_schema_allow(path: Path) -> None:
    text = path.read_text("utf-8")
    assert parse_message(text).kind == path.stem.partition("-")[0]
    assert [error.message for error in SCHEMA.iter_errors(json.loads(text))] == []


@each_good
def test_a_good_request_is_accepted_by_every_provider_it_names_and_by_one_otherwise(path: Path) -> None:
    request = parse_message(path.read_text("utf-8"))
    names = request.providers or [provider.name for provider in by_kind(request.kind)]
    refusals = []
    for name in names:
        model = (
            models(name)[request.model[name]]
            if name in request.model
            else default_model(name, TODAY, serves=getattr(request.input, "type", None))
        )
        assert not model.retired(TODAY)
        refusals.append(PROVIDERS[name].refusal(calling(model, request.input, request.options.get(name))))
    if request.providers:
        assert refusals == [None] * len(names)
    else:
        assert None in refusals


@each_bad
def test_a_bad_request_is_rejected_for_the_reason_in_its_name(path: Path) -> None:
    code, words = REASONS[path.name]
    with pytest.raises(RequestRejected) as rejected:
        parse_message(path.read_text("utf-8"))
    assert rejected.value.code == code
    assert rejected.value.message.startswith(words)


@pytest.mark.parametrize("path", [path for path in BAD if path.suffix == ".json"], ids=lambda path: path.stem)
def test_the_schema_refuses_what_the_contract_rejects(path: Path) -> None:
    assert not SCHEMA.is_valid(json.loads(path.read_text("utf-8")))
