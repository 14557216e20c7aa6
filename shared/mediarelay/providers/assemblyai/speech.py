"""AssemblyAI's speech: OpenAI's request and answer, its own models and voices. Source: its documentation, 2026-11.

The status waits for the first audio; a failure after that cuts the connection, which is a lost answer like any other.
No price was found in its documentation: `models.json` counts what OpenAI charged for its `tts-1`, so that a budget or
`cheapest` never takes it for free.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.error_table import Row, classify
from mediarelay.providers.openai.errors import OPENAI_ERRORS, openai_signals
from mediarelay.providers.openai.speech import OpenAiShapedSpeech
from mediarelay.vocabulary.outcome import Failure, Outcome

# OpenAI's names are mapped to these by AssemblyAI itself, where it has a like voice.
_OPENAI_VOICES: Final = ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx")
_OWN_VOICES: Final = ("jane", "michael", "charles", "george", "anna", "paul", "mary", "eve")

_ERRORS: Final = (
    Row(Outcome.KEY_REJECTED, codes=("missing_authorization",), statuses=(401,)),
    *OPENAI_ERRORS,
)


class AssemblyAiTts(OpenAiShapedSpeech):
    """One language a model; markup is read aloud, and there is no field for the pace."""

    name = "assemblyai-tts"
    vendor = "assemblyai"
    host = "assemblyai"
    voices = (*_OPENAI_VOICES, *(f"aai-{name}" for name in _OWN_VOICES))
    default_voice = "aai-jane"
    formats = ("mp3", "wav", "pcm")
    has_speed = False

    def failure(self, reply: HttpReply) -> Failure:
        """Returns what an answer without speech means: OpenAI's envelope, with a code of its own for a missing key."""
        return classify(_ERRORS, openai_signals(reply), reply)

    def _reserved(self) -> Mapping[str, str]:
        return {**super()._reserved(), "speed": "AssemblyAI has no field for the pace; leave it out"}
