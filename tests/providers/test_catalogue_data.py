"""The shipped catalogue: complete, dated, priced."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from mediarelay.providers.catalogue import default_model, models
from mediarelay.providers.registry import ALL_PROVIDERS as PROVIDERS

TODAY = date(2026, 11, 22)
EVERY_MODEL = [model for provider in PROVIDERS for model in models(provider).values()]
RETIRING = [model for model in EVERY_MODEL if model.retires]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_provider_has_one_default_and_it_is_alive(provider):
    defaults = [model for model in models(provider).values() if model.default]
    assert len(defaults) == 1
    assert default_model(provider, TODAY) == defaults[0]
    assert not defaults[0].retired(TODAY)


@pytest.mark.parametrize(
    ("provider", "default"),
    [
        ("openai-tts", "gpt-4o-mini-tts"),
        ("elevenlabs-tts", "eleven_multilingual_v2"),
        ("gemini-tts", "gemini-3.8-flash-tts"),
        ("openai-image", "gpt-image-2"),
        ("fal-flux", "fal-ai/flux/schnell"),
    ],
)
def test_the_defaults(provider, default):
    assert default_model(provider, TODAY).id == default


@pytest.mark.parametrize("model", EVERY_MODEL, ids=lambda model: model.id)
def test_a_live_model_costs_something_and_takes_some_time(model, call):
    assert model.typical_seconds > 0
    if not model.retired(TODAY):
        assert PROVIDERS[model.provider].estimate_usd(call(model.provider, model=model.id)) > 0


@pytest.mark.parametrize("model", RETIRING, ids=lambda model: model.id)
def test_retirement_is_announced_ninety_days_ahead_and_stated_afterwards(model):
    assert model.retirement_warning(model.retires - timedelta(days=91)) is None
    assert "retires on" in model.retirement_warning(model.retires - timedelta(days=90))
    assert "was retired on" in model.retirement_warning(model.retires)
    assert not model.retired(model.retires - timedelta(days=1))
    assert model.retired(model.retires)


@pytest.mark.parametrize(
    ("provider", "model", "day"),
    [
        ("openai-tts", "gpt-4o-mini-tts", "2027-01-06"),
        ("openai-tts", "gpt-4o-mini-tts-2025-12-15", "2027-01-06"),
        ("openai-tts", "tts-1", "2027-01-06"),
        ("openai-tts", "tts-1-hd", "2027-01-06"),
        ("openai-image", "gpt-image-1.5", "2026-12-01"),
        ("openai-image", "gpt-image-1-mini", "2026-12-01"),
        ("openai-image", "chatgpt-image-latest", "2026-12-01"),
        ("openai-image", "gpt-image-1", "2026-10-23"),
        ("openai-image", "dall-e-3", "2026-05-12"),
        ("openai-image", "dall-e-2", "2026-05-12"),
    ],
)
def test_the_announced_days(provider, model, day):
    assert models(provider)[model].retires == date.fromisoformat(day)


def test_the_replacement_of_a_picture_model_is_a_live_one():
    offered = models("openai-image")
    for model in offered.values():
        if model.retires:
            assert offered[model.replacement].retires is None
