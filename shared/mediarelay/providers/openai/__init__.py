"""OpenAI: speech and pictures."""

from __future__ import annotations

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.openai.errors import openai_failure
from mediarelay.providers.openai.pictures import OpenAiImage
from mediarelay.providers.openai.speech import OPENAI_TTS
from mediarelay.providers.probe import Probe
from mediarelay.providers.vendor import Vendor

VENDOR = Vendor(
    name="openai",
    credentials=ApiKeys("OPENAI_API_KEYS", ("OPENAI_API_KEY",)),
    base_url="https://api.openai.com/v1",
    providers=(OPENAI_TTS, OpenAiImage()),
    probe=Probe("/models", openai_failure),
    healthy_seconds={"openai-image": 80.0},
)
