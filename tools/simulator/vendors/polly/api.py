"""Polly's two operations that a speech client needs."""

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import botocore.session

from tools.simulator.media import catalogue
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Purchase, Refused, Reply, json_reply

from .errors import ERRORS, error
from .signatures import access_key, check

_MODEL = botocore.session.get_session().get_service_model("polly")
_VOICES: frozenset[str] = frozenset(_MODEL.shape_for("VoiceId").metadata["enum"])
_STANDARD, _NEURAL = "standard", "neural"
# Those of Polly's voices that have other engines than the neural and the standard one; some that lack one of these.
_ONLY_STANDARD = frozenset({"Mizuki", "Nicole", "Russell", "Hans", "Marlene", "Tatyana", "Maxim", "Zeina", "Geraint"})
_ONLY_NEURAL = frozenset({"Olivia", "Arthur", "Kazuha", "Tomoko", "Niamh", "Ruth", "Stephen", "Danielle", "Gregory"})
_MORE = {"generative": {"Joanna", "Matthew", "Danielle", "Ruth", "Stephen", "Niamh", "Olivia", "Amy", "Lucia"}}
_MORE["long-form"] = {"Danielle", "Gregory", "Ruth"}
_DOLLARS_PER_CHARACTER = {_STANDARD: 4e-6, _NEURAL: 16e-6, "long-form": 100e-6, "generative": 30e-6}
# Polly's format: our codec, the rates that it knows as text, the first of them its own.
_FORMATS = {
    "mp3": ("mp3", ("24000", "8000", "16000", "22050", "44100", "48000")),
    "ogg_opus": ("opus", ("48000",)),
    "pcm": ("pcm", ("16000", "8000")),
}
_TYPES = {"mp3": "audio/mpeg", "ogg_opus": "audio/ogg", "pcm": "audio/pcm"}
_MP3_RATE = 24000
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_BILLED, _WHOLE = 3000, 6000
_SPEECH, _LIST = "v1/speech", "v1/voices"


def _invalid(name: str, message: str) -> Refused:
    return Refused(error(400, name, message, "invalid_request"))


def _engines(voice: str) -> list[str]:
    usual = [_STANDARD] if voice in _ONLY_STANDARD else [_NEURAL] if voice in _ONLY_NEURAL else [_NEURAL, _STANDARD]
    return [*usual, *(engine for engine, voices in _MORE.items() if voice in voices)]


def _said(body: dict[str, Any]) -> str:
    """The text without its markup. Raises Refused."""
    text = body.get("Text")
    if not isinstance(text, str) or not text:
        raise _invalid("ValidationException", "Value null at 'text' failed to satisfy constraint: must not be null")
    if body.get("TextType", "text") == "ssml":
        whole, text = text, _of_markup(text)
        if len(whole) > _WHOLE:
            raise _invalid("TextLengthExceededException", "Maximum text length has been exceeded")
    if len(text) > _BILLED:
        raise _invalid("TextLengthExceededException", "Maximum text length has been exceeded")
    return text


def _of_markup(text: str) -> str:
    try:
        root = ET.fromstring(text)  # noqa: S314 - our own tests write it
    except ET.ParseError:
        raise _invalid("InvalidSsmlException", "Invalid SSML request") from None
    if root.tag != "speak":
        raise _invalid("InvalidSsmlException", "Invalid SSML request")
    return "".join(root.itertext())


def _check(body: dict[str, Any]) -> str:
    voice, engine, format_ = str(body.get("VoiceId")), body.get("Engine", _STANDARD), body.get("OutputFormat")
    if voice not in _VOICES:
        raise _invalid("ValidationException", "1 validation error detected: Value at 'voiceId' is not a voice")
    if engine not in _engines(voice):
        raise _invalid("ValidationException", f"This voice does not support the selected engine: {engine}")
    if format_ not in _FORMATS:
        raise _invalid("ValidationException", "1 validation error detected: Value at 'outputFormat' is no format")
    if body.get("SampleRate", _FORMATS[format_][1][0]) not in _FORMATS[format_][1]:
        raise _invalid("InvalidSampleRateException", "The sample rate is not valid for the format")
    return str(engine)


def _speech(call: Call) -> Reply:
    check(call, f"/polly/{_SPEECH}")
    body = call.json
    if body.get("OutputFormat") == "json":
        return _marks(body)
    engine, said = _check(body), _said(body)
    if body.get("SpeechMarkTypes"):
        raise _invalid("MarksNotSupportedForFormatException", "Speech marks are not supported for the format")
    codec, rates = _FORMATS[body["OutputFormat"]]
    rate = _MP3_RATE if codec == "mp3" else int(body.get("SampleRate", rates[0]))
    purchase = Purchase(said, len(said), len(said) * _DOLLARS_PER_CHARACTER[engine])
    return Reply(
        200,
        catalogue.speech(said, codec, rate),
        _TYPES[body["OutputFormat"]],
        {"x-amzn-RequestCharacters": str(len(said))},
        purchase=purchase,
        chunked=True,
    )


def _marks(body: dict[str, Any]) -> Reply:
    """When each word is heard, one JSON object a line: charged like the speech, which says a character in 60 ms."""
    engine, said, text = _check({**body, "OutputFormat": "mp3"}), _said(body), str(body["Text"])
    if body.get("SpeechMarkTypes") != ["word"]:
        raise _invalid("ValidationException", "SpeechMarkTypes must be given for the format json; we know only word")
    lines, at = [], 0
    for word in _WORD.finditer(said):
        found = text.index(word[0], at)  # in the markup, if there is any
        at = found + len(word[0])
        start = len(text[:found].encode())
        time = round(catalogue.seconds_of(said) * 1000 * word.start() / len(said))
        mark = {"time": time, "type": "word", "start": start, "end": start + len(word[0].encode()), "value": word[0]}
        lines.append(json.dumps(mark))
    purchase = Purchase(said, len(said), len(said) * _DOLLARS_PER_CHARACTER[engine])
    answer = "\n".join(lines).encode()
    headers = {"x-amzn-RequestCharacters": str(len(said))}
    return Reply(200, answer, "application/x-json-stream", headers, purchase=purchase, chunked=True)


def _voices(call: Call) -> Reply:
    check(call, f"/polly/{_LIST}")
    wanted = call.query.get("Engine")
    if wanted is not None and wanted not in _DOLLARS_PER_CHARACTER:
        raise _invalid("ValidationException", "1 validation error detected: Value at 'engine' is no engine")
    voices = [
        {"Id": name, "Name": name, "Gender": "Female", "LanguageCode": "en-US", "SupportedEngines": _engines(name)}
        for name in sorted(_VOICES)
        if wanted in (None, *_engines(name))
    ]
    return json_reply(200, {"Voices": voices})


class Polly:
    """The owner of the limits is the account; a key is the id of an access key, `role_of` has its secret."""

    name = "polly"
    base_urls = {"POLLY_BASE_URL": "/polly"}  # noqa: RUF012 - the protocol reads it, nobody writes
    errors: NamedErrors = ERRORS
    operations = (
        Operation("speech", "polly", "POST", re.compile(_SPEECH), _speech, limited=True, paid=True),
        Operation("voices", "polly", "GET", re.compile(_LIST), _voices),
    )

    def credential(self, headers: Headers) -> str | None:
        return access_key(headers)

    def unknown_path(self, path: str) -> Reply:
        return error(404, "UnknownOperationException", f"no operation at {path}", "unmatched")

    def headers(self, call: Call, _now: float) -> dict[str, str]:
        return {"x-amzn-RequestId": call.request_id}


SIMULATED = Polly()
