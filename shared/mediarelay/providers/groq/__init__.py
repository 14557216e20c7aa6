"""Groq: speech of Canopy Labs' Orpheus in OpenAI's shape. Sources, of 2026: Groq's documentation, LiteLLM, Pipecat.

One call takes 200 characters and answers with WAV. That there is a field for the pace is said of another model only.
"""

from __future__ import annotations

from typing import Final

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.error_table import Row
from mediarelay.providers.openai.speech import OpenAiShapedSpeech
from mediarelay.providers.probe import Probe
from mediarelay.providers.vendor import Vendor
from mediarelay.vocabulary.outcome import Outcome

_ENGLISH: Final = ("autumn", "diana", "hannah", "austin", "daniel", "troy")
_ARABIC: Final = ("fahad", "abdullah", "sultan", "lulwa", "noura", "aisha")

_ERRORS: Final = (
    # The organisation has to accept a model's terms first; it may have accepted those of another.
    Row(Outcome.PERMISSION_DENIED, codes=("model_terms_required",)),
    Row(Outcome.MODEL_GONE, codes=("model_decommissioned",)),
    # The limit of what the organisation wants to spend in a month.
    Row(Outcome.QUOTA_EXHAUSTED, codes=("blocked_api_access",)),
    # More tokens than the account may have in a minute: no wait helps, another provider does.
    Row(Outcome.INVALID_REQUEST, codes=("rate_limit_exceeded",), statuses=(413,)),
)

GROQ_TTS: Final = OpenAiShapedSpeech(
    name="groq-tts",
    vendor="groq",
    host="groq",
    voices=(*_ENGLISH, *_ARABIC),
    voices_of={"canopylabs/orpheus-v1-english": _ENGLISH, "canopylabs/orpheus-arabic-saudi": _ARABIC},
    formats=("wav",),
    has_speed=False,
    errors=_ERRORS,
)

VENDOR = Vendor(
    name="groq",
    credentials=ApiKeys("GROQ_API_KEYS", ("GROQ_API_KEY",)),
    base_url="https://api.groq.com/openai/v1",
    providers=(GROQ_TTS,),
    probe=Probe("/models", GROQ_TTS.failure),
    notes={"groq-tts": "`wav`, up to 200 characters; English, or Arabic by its other model, at the voice's own pace"},
)
