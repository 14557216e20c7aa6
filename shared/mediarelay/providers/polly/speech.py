"""Amazon Polly: speech as a streamed body, by the function's role. A model is one of Polly's engines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from xml.sax.saxutils import escape, unescape

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.answers import is_speech
from mediarelay.providers.api import Delivery, ProviderCall, StreamedBody, Timed
from mediarelay.providers.credentials import aws_signature
from mediarelay.providers.input_checks import (
    merged,
    not_offered,
    own_fields,
    pace_within,
    speech,
    too_long,
    voice,
)
from mediarelay.providers.json_reading import count, json_object
from mediarelay.providers.polly.errors import polly_failure
from mediarelay.providers.polly.voices import BILINGUAL, VOICES
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.outcome import Failure, Outcome

if TYPE_CHECKING:
    from mediarelay.audio.times import Span

# Its PCM has at most 16 kHz, less than its MP3, so that nothing is made of it here.
OUTPUT_FORMATS: Final[Mapping[str, str]] = {"mp3": "mp3", "opus": "ogg_opus"}
PACE: Final = (0.2, 2.0)
PATH: Final = "/v1/speech"
TIMED_ENGINES: Final = ("neural", "standard")

_SSML: Final = "ssml"
_TAG: Final = re.compile(rb"<[^<>]*>")
_BEFORE: Final = re.compile(rb"\s(\S*)\Z")
# How long the last word is heard, which no mark tells.
_SECONDS_A_WORD: Final = 0.5
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
        """Judges format, length, pace and voice."""
        if call.input.kind is not self.kind:
            return f"kind: {self.name} makes speech only"
        asked = speech(call)
        return (
            not_offered(self.name, "input.format", asked.format, self.formats)
            or too_long(self.name, "input.text", asked.text, call.model.limits.get("text_characters"))
            or self._times_refusal(call)
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
        return HttpRequest("POST", PATH, merged(body, own_fields(call)), read_timeout_seconds=60.0)

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """The body of a 200 is the speech, unless its type says that it is a document."""
        return is_speech(status, headers)

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """The streamed body, priced by the characters that the answer says were billed; or the failure."""
        if not self.streams(reply.status, reply.headers):
            return polly_failure(reply)
        request_id = reply.headers.get("x-amzn-requestid")
        return Delivery((StreamedBody(),), speech(call).format, _billed_usd(reply, call), request_id)

    def estimate_usd(self, call: ProviderCall) -> float:
        """By the character, those of SSML's tags are free; the times are charged as the speech is."""
        return self.times_usd(call) * (2 if speech(call).timestamps else 1)

    def times_request(self, call: ProviderCall) -> HttpRequest:
        """The same text once more, as speech marks: one JSON object a line."""
        request = self.build_request(call)
        body = {name: value for name, value in request.json.items() if name != "SampleRate"}
        marks = {"OutputFormat": "json", "SpeechMarkTypes": ["word"]}
        return HttpRequest("POST", PATH, {**body, **marks}, read_timeout_seconds=60.0)

    def parse_times(self, reply: HttpReply, call: ProviderCall) -> Timed | Failure:
        """Each word with what follows it in the text, until the next one begins; or the failure."""
        if reply.status != 200:  # noqa: PLR2004 - OK
            return polly_failure(reply)
        cost, body = _billed_usd(reply, call), self.build_request(call).json
        times = _times(reply.body or b"", str(body["Text"]), ssml=body.get("TextType") == _SSML)
        return Timed(times, cost) if times else Failure(Outcome.UNUSABLE_DELIVERY, "no_times", cost_usd=cost)

    def times_usd(self, call: ProviderCall) -> float:
        """As much as the speech itself."""
        return max(_usd(call, len(speech(call).text)), call.least_usd)

    def _voice_refusal(self, call: ProviderCall) -> str | None:
        """Its own option takes any name, so that a voice that is newer than our list can be had."""
        if call.options.get("voice"):
            return None
        engine = call.model.id
        return not_offered(f"{self.name} model {engine}", "voice", voice(call).id, VOICES.get(engine, ()))

    def _times_refusal(self, call: ProviderCall) -> str | None:
        """Speech marks are documented for these engines; whether the others make them was not found out."""
        if not speech(call).timestamps or call.model.id in TIMED_ENGINES:
            return None
        return f"input.timestamps: {self.name} model {call.model.id} does not tell when a word is heard"

    def _pace_refusal(self, call: ProviderCall) -> str | None:
        speed = speech(call).speed
        if speed == 1.0:
            return None
        if call.options.get("TextType") == _SSML:
            return f"input.speed: {speed:g}; a text that is SSML names its own pace"
        limit = call.model.limits.get("request_characters")
        return pace_within(self.name, speed, PACE) or too_long(
            self.name, "input.text as SSML", _paced(speech(call).text, speed), limit
        )


def _paced(text: str, speed: float) -> str:
    return f'<speak><prosody rate="{round(speed * 100)}%">{escape(text)}</prosody></speak>'


def _billed_usd(reply: HttpReply, call: ProviderCall) -> float:
    billed = count(reply.headers.get("x-amzn-requestcharacters"))
    return max(_usd(call, len(speech(call).text) if billed is None else billed), call.least_usd)


def _times(body: bytes, said: str, *, ssml: bool) -> tuple[Span, ...]:
    """The text in pieces, each a word with what belongs to it, from the marks of its words: `time` in milliseconds,
    `start` and `end` in bytes of the text.
    """
    from mediarelay.audio.times import Span  # noqa: PLC0415 # few ask for times

    words = []
    for row in map(json_object, body.splitlines()):
        time, start, end = (count(row.get(name)) for name in ("time", "start", "end"))
        if row.get("type") == "word" and time is not None and start is not None and end is not None:
            words.append((time / 1000, int(start), int(end)))
    encoded = said.encode("utf-8", "replace")
    if ssml:
        encoded = _TAG.sub(lambda tag: b" " * len(tag[0]), encoded)
    begins = [0, *(_begin(encoded, end, start) for (_, _, end), (_, start, _) in pairwise(words)), len(encoded)]
    pieces = [encoded[since:until].decode("utf-8", "ignore") for since, until in pairwise(begins)]
    ends = [time for time, _, _ in words[1:]] + [time + _SECONDS_A_WORD for time, _, _ in words[-1:]]
    return tuple(
        Span(unescape(piece) if ssml else piece, time, end)
        for piece, (time, _, _), end in zip(pieces, words, ends, strict=False)
    )


def _begin(text: bytes, behind: int, start: int) -> int:
    """Where a word's piece begins: with what stands right before it, such as a quotation mark."""
    apart = _BEFORE.search(text[behind:start])
    return start - len(apart[1]) if apart else start


def _usd(call: ProviderCall, characters: float) -> float:
    return characters * call.model.prices.get("per_million_characters", 0.0) / _MILLION
