"""Google Cloud Text-to-Speech: speech with the voices of Chirp 3 HD."""

from __future__ import annotations

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.google.errors import google_failure
from mediarelay.providers.google.speech import GoogleTts
from mediarelay.providers.probe import Probe
from mediarelay.providers.vendor import Vendor

# Keys of its own: one that may call Gemini often may not call this, which has to be enabled for its project.
VENDOR = Vendor(
    name="google",
    credentials=ApiKeys("GOOGLE_TTS_API_KEYS", ("GOOGLE_TTS_API_KEY",)),
    base_url="https://texttospeech.googleapis.com",
    providers=(GoogleTts(),),
    # The shortest of its lists: the voices of one language.
    probe=Probe("/v1/voices", google_failure, params={"languageCode": "et-EE"}),
    notes={"google-tts": "at most 5,000 bytes; 51 languages, English where `input.language` names none"},
)
