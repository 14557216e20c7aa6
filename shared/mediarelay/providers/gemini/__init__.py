"""Gemini: speech."""

from __future__ import annotations

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.gemini.errors import gemini_failure
from mediarelay.providers.gemini.speech import GeminiTts
from mediarelay.providers.probe import Probe
from mediarelay.providers.vendor import Vendor

VENDOR = Vendor(
    name="gemini",
    credentials=ApiKeys("GEMINI_API_KEYS", ("GEMINI_API_KEY", "GOOGLE_API_KEYS", "GOOGLE_API_KEY")),
    base_url="https://generativelanguage.googleapis.com",
    providers=(GeminiTts(),),
    probe=Probe("/v1beta/models", gemini_failure, params={"pageSize": "1"}),
    healthy_seconds={"gemini-tts": 10.0},
    notes={"gemini-tts": "`wav` and `pcm` at the voice's own pace"},
)
