"""Calls and replies as a worker would make them, with only what a test cares about spelled out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mediarelay.contracts.request import ImageInput, TtsInput
from mediarelay.providers.base import HttpReply, ProviderCall
from mediarelay.providers.catalogue import models

DEFAULTS = {
    "openai-tts": "gpt-4o-mini-tts",
    "elevenlabs-tts": "eleven_multilingual_v2",
    "openai-image": "gpt-image-2",
    "fal-flux": "fal-ai/flux/schnell",
}


@pytest.fixture(scope="session")
def call() -> Callable[..., ProviderCall]:
    """Build a call for a provider: `model`, `options`, and the fields of the input."""

    def build(provider: str, *, model: str = "", options: dict[str, Any] | None = None, **fields: Any) -> ProviderCall:
        given = (
            TtsInput(**{"text": "Good morning.", **fields})
            if provider.endswith("-tts")
            else ImageInput(**{"prompt": "A lighthouse.", **fields})
        )
        return ProviderCall("job-1", given, models(provider)[model or DEFAULTS[provider]], options or {})

    return build


@pytest.fixture(scope="session")
def reply() -> Callable[..., HttpReply]:
    """Build a reply from a JSON value or raw bytes."""

    def build(status: int, body: Any = b"", **headers: str) -> HttpReply:
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)

    return build
