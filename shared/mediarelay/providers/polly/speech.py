"""Amazon Polly: speech as a streamed body, by the function's role. A model is one of Polly's engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from xml.sax.saxutils import escape

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.answers import is_speech
from mediarelay.providers.api import Delivery, ProviderCall, StreamedBody
from mediarelay.providers.credentials import aws_signature
from mediarelay.providers.input_checks import merged, not_offered, reserved_option, speech, too_long, voice
from mediarelay.providers.json_reading import count
from mediarelay.providers.polly.errors import polly_failure
from mediarelay.providers.polly.voices import BILINGUAL, VOICES
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure

# Its PCM has at most 16 kHz, less than its MP3, so that nothing is made of it here.
OUTPUT_FORMATS: Final[Mapping[str, str]] = {"mp3": "mp3", "opus": "ogg_opus"}
PACE: Final = (0.2, 2.0)

_RESERVED: Final = {
    "Text": "set input.text instead",
    "OutputFormat": "set input.format instead",
    "Engine": "set model.polly-tts instead",
    "VoiceId": "write voice instead",
    "SpeechMarkTypes": "the answer is read as audio; leave it out",
}
_SSML: Final = "ssml"
_MILLION: Final = 1_000_000


class PollyTts:
    """POST /v1/speech. There is no field for `input.instructions`: it is left out."""

    name: Final = "polly-tts"
    vendor: Final = "polly"
    kind: Final = Kind.TTS
    host: Final = "polly"
    formats: Final = tuple(OUTPUT_FORMATS)
    sign = staticmethod(aws_signature("polly"))

    def refusal(self, call: ProviderCall) -> str | None:
        """Judges format, length, pace and voice, and options that would bypass them."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes speech only"
        asked = speech(call)
        return (
            reserved_option(call.options, _RESERVED)
            or not_offered(self.name, "input.format", asked.format, self.formats)
            or too_long(self.name, "input.text", asked.text, call.model.limits.get("text_characters"))
            or self._pace_refusal(call)
            or self._voice_refusal(call)
        )

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The required fields; a pace goes as SSML, which has no other place for it."""
        asked = speech(call)
        speaker = voice(call).id
        body: dict[str, Any] = {
            "Text": asked.text,
            "VoiceId": speaker,
            "Engine": call.model.id,
            "OutputFormat": OUTPUT_FORMATS[asked.format],
        }
        if asked.speed != 1.0:
            body |= {"Text": _paced(asked.text, asked.speed), "TextType": _SSML}
        other = BILINGUAL.get(speaker, "")
        if asked.language and other.partition("-")[0] == asked.language.partition("-")[0]:
            body["LanguageCode"] = other
        fields = {name: value for name, value in call.options.items() if name != "voice"}
        return HttpRequest("POST", "/v1/speech", merged(body, fields), read_timeout_seconds=60.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """The body of a 200 is the speech, unless its type says that it is a document."""
        return is_speech(status, headers)

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The streamed body, priced by the characters that the answer says were billed; or the failure."""
        if not self.streams(reply.status, reply.headers):
            return polly_failure(reply)
        billed = count(reply.headers.get("x-amzn-requestcharacters"))
        cost = self.estimate_usd(call) if billed is None else _usd(call, billed)
        return Delivery((StreamedBody(),), speech(call).format, cost, reply.headers.get("x-amzn-requestid"))

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the character; those of SSML's tags are free."""
        return _usd(call, len(speech(call).text))

    def _voice_refusal(self, call: ProviderCall) -> str | None:
        """Its own option takes any name, so that a voice that is newer than our list can be had."""
        if call.options.get("voice"):
            return None
        engine = call.model.id
        return not_offered(f"{self.name} model {engine}", "voice", voice(call).id, VOICES.get(engine, ()))

    def _pace_refusal(self, call: ProviderCall) -> str | None:
        speed, (slowest, fastest) = speech(call).speed, PACE
        if speed == 1.0:
            return None
        if call.options.get("TextType") == _SSML:
            return f"input.speed: {speed:g}; a text that is SSML names its own pace"
        if not slowest <= speed <= fastest:
            return f"input.speed: {speed:g}; {self.name} takes {slowest:g} to {fastest:g}"
        limit = call.model.limits.get("request_characters")
        return too_long(self.name, "input.text as SSML", _paced(speech(call).text, speed), limit)


def _paced(text: str, speed: float) -> str:
    return f'<speak><prosody rate="{round(speed * 100)}%">{escape(text)}</prosody></speak>'


def _usd(call: ProviderCall, characters: float) -> float:
    return characters * call.model.prices.get("per_million_characters", 0.0) / _MILLION
