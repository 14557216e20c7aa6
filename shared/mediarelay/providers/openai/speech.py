"""OpenAI: speech as a streamed body, pictures as base64 inside JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.api import Delivery, InlineMedia, ProviderCall, StreamedBody
from mediarelay.providers.error_table import classify
from mediarelay.providers.input_checks import merged, not_offered, picture, reserved_option, speech, too_long, too_many
from mediarelay.providers.json_reading import items, json_object, mapping, text
from mediarelay.providers.openai.errors import OPENAI_ERRORS, openai_signals
from mediarelay.providers.openai.prices import picture_usd, speech_usd, used_usd
from mediarelay.providers.streamed_body import is_speech
from mediarelay.request.model import ImageInput, TtsInput
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

VOICES: Final = (
    *("alloy", "ash", "ballad", "coral", "echo", "fable", "onyx"),
    *("nova", "sage", "shimmer", "verse", "marin", "cedar"),
)
DEFAULT_VOICE: Final = "alloy"
CUSTOM_VOICE_PREFIX: Final = "voice_"
FIXED_SIZES: Final = ("auto", "1024x1024", "1536x1024", "1024x1536")

_SPEECH_RESERVED: Final = {
    "model": "set model.openai-tts instead",
    "input": "set input.text instead",
    "response_format": "set input.format instead",
    "stream_format": "the answer is read as audio; leave it out",
}
_IMAGE_RESERVED: Final = {
    "model": "set model.openai-image instead",
    "prompt": "set input.prompt instead",
    "n": "set input.n instead",
    "output_format": "set input.format instead",
    "response_format": "GPT image models refuse it; leave it out",
    "style": "GPT image models refuse it; leave it out",
    "stream": "the answer is read as one JSON document; leave it out",
    "partial_images": "the answer is read as one JSON document; leave it out",
}


class _OpenAi:
    """What speech and pictures share: the account."""

    vendor: Final = "openai"
    base_url_variable: Final = "OPENAI_BASE_URL"
    default_base_url: Final = "https://api.openai.com/v1"

    def auth_headers(self, secret: str, *, now: float) -> Mapping[str, str]:
        """A bearer token; nothing is signed, so *now* is not used."""
        del now
        return {"authorization": f"Bearer {secret}"}


class OpenAiTts(_OpenAi):
    """POST /audio/speech. `input.language` has no field there: the model hears it from the text."""

    name: Final = "openai-tts"
    kind: Final = Kind.TTS

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the text's length, the voice, and options that would bypass either."""
        if not isinstance(call.input, TtsInput):
            return f"kind: {self.name} makes speech only"
        return (
            reserved_option(call.options, _SPEECH_RESERVED)
            or too_long(self.name, "input.text", call.input.text, call.model.limits.get("text_characters"))
            or self._voice_refusal(_voice(call))
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The required fields, the format, and what differs from the vendor's defaults.

        `instructions` is left out for tts-1 models, which do not take it, so that one request can go to any model.
        """
        asked = speech(call)
        body: dict[str, Any] = {"model": call.model.id, "input": asked.text, "response_format": asked.format}
        if asked.speed != 1.0:
            body["speed"] = asked.speed
        if asked.instructions and not call.model.id.startswith("tts-1"):
            body["instructions"] = asked.instructions
        voice = str(_voice(call))
        body = merged(body, call.options)
        body["voice"] = {"id": voice} if voice.startswith(CUSTOM_VOICE_PREFIX) else voice
        return HttpRequest("POST", "/audio/speech", body, read_timeout_seconds=60.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """The body of a 200 is the speech, unless its type says that it is a document."""
        return is_speech(status, headers)

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The streamed body, or the failure."""
        if not self.streams(reply.status, reply.headers):
            return classify(OPENAI_ERRORS, openai_signals(reply), reply)
        return Delivery(
            (StreamedBody(),), speech(call).format, self.estimate_usd(call), reply.headers.get("x-request-id")
        )

    def estimate_usd(self, call: ProviderCall) -> float:
        """Exact for models priced by the character, estimated for those priced by audio tokens."""
        return speech_usd(speech(call), call.model)

    def _voice_refusal(self, voice: object) -> str | None:
        if isinstance(voice, str) and voice.startswith(CUSTOM_VOICE_PREFIX):
            return None
        return not_offered(self.name, "voice", voice, (*VOICES, f"{CUSTOM_VOICE_PREFIX}<id>"))


class OpenAiImage(_OpenAi):
    """POST /images/generations, for GPT image models."""

    name: Final = "openai-image"
    kind: Final = Kind.IMAGE

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the prompt's length, the number and size of pictures, and options that would bypass them."""
        if not isinstance(call.input, ImageInput):
            return f"kind: {self.name} makes pictures only"
        limits = call.model.limits
        return (
            reserved_option(call.options, _IMAGE_RESERVED)
            or too_long(self.name, "input.prompt", call.input.prompt, limits.get("prompt_characters"))
            or too_many(self.name, "input.n", call.input.n, limits.get("n"))
            or self._size_refusal(call.input.size, limits)
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """Everything that decides the price is sent, defaults included. The time allowed is that of high quality."""
        asked = picture(call)
        derived = {
            "model": call.model.id,
            "prompt": asked.prompt,
            "n": asked.n,
            "size": asked.size,
            "quality": asked.quality,
            "output_format": asked.format,
        }
        body = merged(derived, call.options)
        return HttpRequest("POST", "/images/generations", body, read_timeout_seconds=180.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """Never: the pictures are inside JSON."""
        del status, headers
        return False

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The pictures that can be decoded, priced by the answer's own usage."""
        body = json_object(reply.body) if reply.status == 200 else {}  # noqa: PLR2004 - OK
        media = tuple(found for entry in items(body.get("data")) if (found := _decoded(mapping(entry))))
        if not media:
            return classify(OPENAI_ERRORS, openai_signals(reply), reply)
        used = used_usd(mapping(body.get("usage")), call.model)
        cost = self.estimate_usd(call) if used is None else used
        return Delivery(media, picture(call).format, cost, reply.headers.get("x-request-id"))

    def estimate_usd(self, call: ProviderCall) -> float:
        """From the size and quality that would be sent."""
        return picture_usd(picture(call), self.build_request(call).json, call.model)

    def _size_refusal(self, size: str, limits: Mapping[str, int]) -> str | None:
        multiple = limits.get("size_multiple")
        if size in FIXED_SIZES:
            return None
        if multiple is None:
            return not_offered(self.name, "input.size", size, FIXED_SIZES)
        short, long = sorted(int(edge) for edge in size.split("x"))
        fits = long <= limits["long_edge_pixels"] and short <= limits["short_edge_pixels"]
        if fits and not short % multiple and not long % multiple and long <= short * limits["aspect_ratio"]:
            return None
        return (
            f"input.size: {size}; {self.name} takes auto, or edges that are multiples of {multiple}, at most "
            f"{limits['long_edge_pixels']}x{limits['short_edge_pixels']} and no longer than "
            f"{limits['aspect_ratio']}:1"
        )


def _voice(call: ProviderCall) -> object:
    """The provider's own option before the request's voice, so that one request can name a voice for each provider."""
    return call.options.get("voice") or speech(call).voice or DEFAULT_VOICE


def _decoded(entry: Mapping[str, Any]) -> InlineMedia | None:
    try:
        data = base64.b64decode(text(entry.get("b64_json")), validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters outside ASCII
        return None
    return InlineMedia(data) if data else None
