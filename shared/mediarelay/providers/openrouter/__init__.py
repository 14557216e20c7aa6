"""OpenRouter: other vendors' speech in OpenAI's shape, on one key and one bill. Sources: its documentation, 2026-11.

Its errors have the status as a number where OpenAI has a code, and so may a body that came with a 200. Which voices
there are depends on the model. It passes the pace on to some models and ignores it for others, so it is not asked for
one. AssemblyAI's model is counted at AssemblyAI's price: none is published for it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.error_table import Row, Signals
from mediarelay.providers.json_reading import json_object, mapping, text
from mediarelay.providers.openai.speech import OpenAiShapedSpeech
from mediarelay.providers.probe import Probe
from mediarelay.providers.vendor import Vendor
from mediarelay.vocabulary.outcome import Outcome

_GROK: Final = ("eve", "ara", "rex", "sal", "leo")
_ASSEMBLYAI: Final = tuple(f"aai-{n}" for n in ("jane", "michael", "charles", "george", "anna", "paul", "mary", "eve"))

_UPSTREAM: Final = "provider returned error"
_ERRORS: Final = (
    # What is in flight may cost more than is left: it is over when those answers are here.
    Row(Outcome.THROTTLED, codes=("openrouter_in_flight_budget",)),
    Row(Outcome.KEY_REJECTED, codes=("401",)),
    Row(Outcome.QUOTA_EXHAUSTED, codes=("402",)),
    Row(Outcome.CONTENT_REJECTED, codes=("403",), says="flagged"),
    Row(Outcome.CONTENT_REJECTED, codes=("403",), says="moderation"),
    # Also for what an account's own settings forbid, which keys of another account may do.
    Row(Outcome.PERMISSION_DENIED, codes=("403",), broad=True),
    Row(Outcome.PERMISSION_DENIED, codes=("404",), says="data policy"),
    Row(Outcome.MODEL_GONE, codes=("404",), says="no endpoints found"),
    Row(Outcome.MODEL_GONE, codes=("400",), says="is not a valid model id"),
    Row(Outcome.TIMEOUT_SENT, codes=("408", "504")),
    # The vendor behind it is busy, whichever of our keys asks.
    Row(Outcome.OVERLOADED, codes=("429", "503", "529"), says=_UPSTREAM),
    Row(Outcome.THROTTLED, codes=("429",)),
    Row(Outcome.OVERLOADED, codes=("503", "529")),
    Row(Outcome.PROVIDER_FAULT, codes=("500", "502")),
)


def _signals(reply: HttpReply) -> Signals:
    body = json_object(reply.body)
    error = mapping(body.get("error"))
    number, source = error.get("code"), text(mapping(error.get("metadata")).get("limit_source"))
    codes = (source, str(number) if isinstance(number, int) and not isinstance(number, bool) else "")
    return Signals(tuple(filter(None, codes)), message=text(error.get("message")), body=body)


def _nothing_left(body: Mapping[str, Any]) -> bool:
    left = mapping(body.get("data")).get("limit_remaining")
    return isinstance(left, int | float) and left <= 0


OPENROUTER_TTS: Final = OpenAiShapedSpeech(
    name="openrouter-tts",
    vendor="openrouter",
    host="openrouter",
    voices=(*_GROK, *_ASSEMBLYAI),
    voices_of={"x-ai/grok-voice-tts-1.0": _GROK, "assemblyai/assemblyai-tts-1": _ASSEMBLYAI},
    formats=("mp3", "pcm"),
    has_speed=False,
    signals=_signals,
    errors=_ERRORS,
    request_id_header="x-generation-id",
)

VENDOR = Vendor(
    name="openrouter",
    credentials=ApiKeys("OPENROUTER_API_KEYS", ("OPENROUTER_API_KEY",)),
    base_url="https://openrouter.ai/api/v1",
    providers=(OPENROUTER_TTS,),
    probe=Probe("/key", OPENROUTER_TTS.failure, _nothing_left),
    notes={"openrouter-tts": "`mp3` and `pcm`; voices by model, at the voice's own pace"},
)
