"""Calls and replies as a worker would make them, with only what a test cares about spelled out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import ProviderCall
from mediarelay.providers.catalogue import Model, models
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.request.model import AudioInput, ImageInput, TtsInput, VideoInput
from mediarelay.vocabulary.kinds import Kind
from tests.builders.calls import calling

INPUTS = {
    Kind.TTS: lambda fields: TtsInput(**{"text": "Good morning.", **fields}),
    Kind.IMAGE: lambda fields: ImageInput(**{"prompt": "A lighthouse.", **fields}),
    Kind.VIDEO: lambda fields: VideoInput(**{"prompt": "A lighthouse at dusk.", **fields}),
    Kind.AUDIO: lambda fields: AudioInput(**{"prompt": "Waves.", **fields}),
}


def _default(provider: str) -> Model:
    return next(each for each in models(provider).values() if each.default)


@pytest.fixture(scope="session")
def call() -> Callable[..., ProviderCall]:
    """Build a call for a provider: `model`, `options`, and the fields of the input."""

    def build(provider: str, *, model: str = "", options: dict[str, Any] | None = None, **fields: Any) -> ProviderCall:
        given = INPUTS[ALL_PROVIDERS[provider].kind](fields)
        chosen = models(provider)[model] if model else _default(provider)
        if chosen.serves and "type" not in fields:
            given = INPUTS[ALL_PROVIDERS[provider].kind]({**fields, "type": chosen.serves})
        return calling(chosen, given, options)

    return build


@pytest.fixture(scope="session")
def reply() -> Callable[..., HttpReply]:
    """Build a reply from a JSON value or raw bytes."""

    def build(status: int, body: Any = b"", **headers: str) -> HttpReply:
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)

    return build
