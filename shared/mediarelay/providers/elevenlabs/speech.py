"""ElevenLabs: speech as a streamed body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.answers import is_speech
from mediarelay.providers.api import Delivery, InlineMedia, ProviderCall, StreamedBody
from mediarelay.providers.credentials import header_key
from mediarelay.providers.elevenlabs.errors import elevenlabs_failure
from mediarelay.providers.elevenlabs.prices import MILLION, credits_usd
from mediarelay.providers.input_checks import (
    merged,
    not_offered,
    own_fields,
    pace_within,
    speech,
    too_long,
    voice,
)
from mediarelay.providers.json_reading import count, decoded, items, json_object, mapping
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

if TYPE_CHECKING:
    from mediarelay.audio.times import Span

# Rates that every plan has: 44.1 kHz PCM and WAV need a Pro plan, 192 kbit/s MP3 a Creator plan.
OUTPUT_FORMATS: Final[Mapping[str, str]] = {
    "mp3": "mp3_44100_128",
    "opus": "opus_48000_64",
    "pcm": "pcm_24000",
    "wav": "wav_24000",
}
PACE: Final = (0.7, 1.2)
QUERY_OPTIONS: Final = ("output_format", "enable_logging", "optimize_streaming_latency")

_VOICE: Final = re.compile(r"[A-Za-z0-9]{20}")
_LANGUAGE_UNAWARE: Final = frozenset({"eleven_multilingual_v2"})  # refuses `language_code`
_ALIGNMENT: Final = ("characters", "character_start_times_seconds", "character_end_times_seconds")


class ElevenLabsTts:
    """POST /v1/text-to-speech/{voice_id}. There is no field for `input.instructions`: it is left out."""

    name: Final = "elevenlabs-tts"
    vendor: Final = "elevenlabs"
    kind: Final = Kind.TTS
    host: Final = "elevenlabs"
    formats: Final = tuple(OUTPUT_FORMATS)
    sign = staticmethod(header_key("xi-api-key"))

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges the format, the text's length, the voice."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes speech only"
        asked = speech(call)
        return (
            not_offered(self.name, "input.format", asked.format, self.formats)
            or too_long(self.name, "input.text", asked.text, call.model.limits.get("text_characters"))
            or pace_within(self.name, asked.speed, PACE)
            or self._voice_refusal(voice(call).id)
            or _output_refusal(call.options.get("output_format"), asked.format)
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The voice is part of the path, the output format a query parameter."""
        asked = speech(call)
        body: dict[str, Any] = {"text": asked.text, "model_id": call.model.id}
        if asked.language and call.model.id not in _LANGUAGE_UNAWARE:
            body["language_code"] = asked.language.partition("-")[0]
        if asked.speed != 1.0:
            body["voice_settings"] = {"speed": asked.speed}
        fields = {name: value for name, value in own_fields(call).items() if name not in QUERY_OPTIONS}
        query = {name: _query_value(call.options[name]) for name in QUERY_OPTIONS if name in call.options}
        return HttpRequest(
            "POST",
            f"/v1/text-to-speech/{voice(call).id}{'/with-timestamps' if asked.timestamps else ''}",
            merged(body, fields),
            params={"output_format": OUTPUT_FORMATS[asked.format], **query},
            # With the times all of it comes at once.
            read_timeout_seconds=120.0 if asked.timestamps else 60.0,
        )

    def takes_context(self, model: str) -> bool:
        """See `providers.api.SpeaksInContext`. The expressive models (`eleven_v3`, `eleven_v4`) do not document it."""
        return not model.startswith("eleven_v")

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """The body of a 200 is the speech, unless its type says that it is a document."""
        return is_speech(status, headers)

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The streamed body, or what came with the times, priced by the credits the answer reports; or the failure."""
        media: StreamedBody | InlineMedia = StreamedBody()
        times: tuple[Span, ...] | None = None
        if not self.streams(reply.status, reply.headers):
            body = json_object(reply.body) if reply.status == 200 else {}  # noqa: PLR2004 - OK
            media, times = InlineMedia(decoded(body.get("audio_base64"), reply.files)), _times(body)
            if not media.data:
                return elevenlabs_failure(reply)
        return Delivery(
            (media,),
            speech(call).format,
            credits_usd(reply, call.model, otherwise=self.estimate_usd(call)),
            reply.headers.get("request-id"),
            times,
        )

    def times_request(self, call: ProviderCall) -> None:
        """None: the times come with the speech."""

    def parse_times(self, reply: HttpReply, call: ProviderCall) -> Failure:
        """Never asked."""
        del call
        return elevenlabs_failure(reply)

    def times_usd(self, call: ProviderCall) -> float:
        """Nothing: the times come with the speech."""
        del call
        return 0.0

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the character."""
        usd = len(speech(call).text) * call.model.prices.get("per_million_characters", 0.0) / MILLION
        return max(usd, call.least_usd)

    def _voice_refusal(self, speaker: str) -> str | None:
        if _VOICE.fullmatch(speaker):
            return None
        return f"voice: {speaker}; {self.name} takes a voice id of 20 letters and digits"


def _times(body: Mapping[str, Any]) -> tuple[Span, ...] | None:
    """The time of each character; None when the answer has none, or not of each."""
    from mediarelay.audio.times import Span  # noqa: PLC0415 # few ask for times

    alignment = mapping(body.get("alignment"))
    rows = [items(alignment.get(name)) for name in _ALIGNMENT]
    if not rows[0] or len({len(row) for row in rows}) != 1:
        return None
    spans = []
    for character, start, end in zip(*rows, strict=True):
        since, until = count(start), count(end)
        if not isinstance(character, str) or since is None or until is None:
            return None
        spans.append(Span(character, since, until))
    return tuple(spans)


def _output_refusal(output: object, wanted: str) -> str | None:
    """Another rate of the same codec is the caller's choice; another codec would contradict `input.format`."""
    if output is None or (isinstance(output, str) and output.startswith(f"{wanted}_")):
        return None
    return f"options.output_format: {output}; input.format {wanted} needs a value that starts with {wanted}_"


def _query_value(value: object) -> str:
    """JSON's spelling: the vendor reads `true`, not `True`."""
    return str(value).lower() if isinstance(value, bool) else str(value)
