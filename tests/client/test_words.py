"""Client and queue say the same of a mistake, and know the same fields."""

from __future__ import annotations

import json
from typing import Any, get_type_hints

import pytest

from mediarelay.request import parsing
from mediarelay.vocabulary.errors import RequestRejected
from mediarelay_client.errors import InvalidRequest
from mediarelay_client.request import keywords
from mediarelay_client.request import parsing as ours
from tools.client_models import PACKAGE, documents, main

MISTAKES: list[Any] = [
    {},
    [],
    {"kind": "smell"},
    {"kind": "tts"},
    {"kind": "tts", "input": {"text": " "}},
    {"kind": "tts", "input": {"text": "x", "speed": 9, "voice": "a b", "tempo": 1}},
    {"kind": "image", "input": {"prompt": "x", "size": "big"}, "providers": []},
    {"kind": "image", "input": {"prompt": "x"}, "providers": ["fal-flux", "fal-flux"]},
    {"kind": "video", "input": {"prompt": "x", "image_url": "http://x"}, "metadata": {"": 1}},
    {"kind": "audio", "input": {"prompt": "x"}, "max_cost_usd": 0, "request_id": "-"},
    {"cancel": "?"},
]


@pytest.mark.parametrize("body", MISTAKES, ids=range(len(MISTAKES)))
def test_the_words_are_the_queues(body: Any) -> None:
    with pytest.raises(RequestRejected) as theirs:
        parsing.parse_message(json.dumps(body))
    with pytest.raises(InvalidRequest) as own:
        ours.parse_message(json.dumps(body))
    assert (own.value.code, own.value.message) == (theirs.value.code, theirs.value.message)


def test_what_is_generated_is_as_the_contracts_are() -> None:
    assert main(["check"]) == 0
    assert main([]) == 2
    assert {path.relative_to(PACKAGE).as_posix() for path in documents()} >= {"models.py", "request/parsing.py"}


def test_keywords_are_typed() -> None:
    assert "voice" in get_type_hints(keywords.SayOptions)
    assert "max_cost_usd" in get_type_hints(keywords.ComposeOptions)
