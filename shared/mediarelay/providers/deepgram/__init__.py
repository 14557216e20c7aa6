"""Deepgram: speech of Aura-2, bytes in the answer to one call."""

from __future__ import annotations

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.deepgram.speech import DeepgramTts, deepgram_failure
from mediarelay.providers.probe import Probe
from mediarelay.providers.vendor import Vendor

VENDOR = Vendor(
    name="deepgram",
    credentials=ApiKeys("DEEPGRAM_API_KEYS", ("DEEPGRAM_API_KEY",)),
    base_url="https://api.deepgram.com",
    providers=(DeepgramTts(),),
    probe=Probe("/v1/projects", deepgram_failure),
    notes={"deepgram-tts": "every format; a voice is of one language, and English and Spanish ones take a pace"},
)
