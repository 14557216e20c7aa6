"""Who is registered, and in which order."""

from __future__ import annotations

import pytest

from mediarelay.providers.registry import PROVIDERS, by_kind, by_name
from mediarelay.vocabulary.kinds import Kind


def test_providers_are_found_by_their_own_name():
    assert all(by_name(name) is provider and provider.name == name for name, provider in PROVIDERS.items())


def test_each_kind_has_its_providers_in_order():
    assert [provider.name for provider in by_kind(Kind.TTS)] == ["openai-tts", "elevenlabs-tts", "gemini-tts"]
    assert [provider.name for provider in by_kind(Kind.IMAGE)][:2] == ["openai-image", "fal-flux"]


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(LookupError, match=r"no provider acme-tts; there are openai-tts, elevenlabs-tts"):
        by_name("acme-tts")


@pytest.mark.parametrize(
    ("name", "vendor", "variable", "base_url"),
    [
        ("openai-tts", "openai", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
        ("openai-image", "openai", "OPENAI_BASE_URL", "https://api.openai.com/v1"),
        ("elevenlabs-tts", "elevenlabs", "ELEVENLABS_BASE_URL", "https://api.elevenlabs.io"),
        ("gemini-tts", "gemini", "GEMINI_BASE_URL", "https://generativelanguage.googleapis.com"),
        ("fal-flux", "fal", "FAL_BASE_URL", "https://fal.run"),
    ],
)
def test_vendor_and_address(name, vendor, variable, base_url):
    provider = by_name(name)
    assert (provider.vendor, provider.base_url_variable, provider.default_base_url) == (vendor, variable, base_url)
