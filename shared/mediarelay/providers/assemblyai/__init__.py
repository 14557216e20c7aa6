"""AssemblyAI: speech in OpenAI's shape, with its own models and voices. Source: its documentation, 2026-11.

The status waits for the first audio; a failure after that cuts the connection, which is a lost answer like any other.
No price was found in its documentation: `models.json` counts what OpenAI charged for its `tts-1`, so that a budget or
`cheapest` never takes it for free.
"""

from __future__ import annotations

from typing import Final

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.error_table import Row
from mediarelay.providers.openai.speech import OpenAiShapedSpeech
from mediarelay.providers.vendor import Vendor
from mediarelay.vocabulary.outcome import Outcome

# OpenAI's names are mapped to these by AssemblyAI itself, where it has a like voice.
_OPENAI_VOICES: Final = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx")
_OWN_VOICES: Final = ("jane", "michael", "charles", "george", "anna", "paul", "mary", "eve")

# One language a model; markup is read aloud.
ASSEMBLYAI_TTS: Final = OpenAiShapedSpeech(
    name="assemblyai-tts",
    vendor="assemblyai",
    host="assemblyai",
    voices=(*_OPENAI_VOICES, *(f"aai-{name}" for name in _OWN_VOICES)),
    formats=("mp3", "wav", "pcm"),
    has_speed=False,
    errors=(Row(Outcome.KEY_REJECTED, codes=("missing_authorization",), statuses=(401,)),),
)

# No probe: its one free call, the list of models, answers whatever the key is.
VENDOR = Vendor(
    name="assemblyai",
    credentials=ApiKeys("ASSEMBLYAI_API_KEYS", ("ASSEMBLYAI_API_KEY",)),
    base_url="https://tts.us.assemblyai.com/v1/openai",
    providers=(ASSEMBLYAI_TTS,),
    notes={"assemblyai-tts": "`mp3`, `wav` and `pcm`; English, at the voice's own pace"},
)
