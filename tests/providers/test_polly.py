"""Polly: voices by engine and language, what it cannot do, its errors, and a throttle of the one role there is."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.audio.times import grouped, read, written
from mediarelay.audio.transcode import Sound, encode
from mediarelay.http.messages import HttpReply
from mediarelay.keys.parsing import keys_from
from mediarelay.providers.api import Timed
from mediarelay.providers.catalogue import models
from mediarelay.providers.credentials import ON
from mediarelay.providers.polly.speech import PollyTts
from mediarelay.request.model import TtsInput
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.calls import calling
from tests.builders.keys import keys
from tests.builders.requests import message, tts
from tests.doubles.keys import FixedKeys
from tests.doubles.scripted_http import Answer, document, speech
from tests.harness.bench import Bench

TTS = PollyTts()
ROLE = {"AWS_ACCESS_KEY_ID": "fake-id", "AWS_SECRET_ACCESS_KEY": "fake-secret", "AWS_SESSION_TOKEN": "fake-token"}
THROTTLED = document(400, {"message": "Rate exceeded"}, x_amzn_errortype="ThrottlingException")
POLLY = "https://polly.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("model", "fields", "voice"),
    [
        ("neural", {}, "Joanna"),
        ("long-form", {}, "Danielle"),
        ("neural", {"language": "de"}, "Vicki"),
        ("neural", {"language": "de-AT"}, "Hannah"),
        ("neural", {"language": "pt-BR"}, "Camila"),
        ("neural", {"language": "pt-PT"}, "Ines"),
        ("neural", {"language": "zh"}, "Zhiyu"),
        ("standard", {"language": "ar"}, "Zeina"),
        ("neural", {"language": "en-CA"}, "Joanna"),
        ("standard", {"voice": "Mizuki"}, "Mizuki"),
        ("neural", {"voice": "Amy", "language": "fr"}, "Amy"),
        ("neural", {"voice": "alloy"}, "Joanna"),
        ("generative", {"voice": "onyx"}, "Brian"),
        ("long-form", {"voice": "echo"}, "Gregory"),
        ("neural", {"voice": "nova", "language": "es-MX"}, "Mia"),
    ],
)
def test_who_speaks(call, model, fields, voice):
    asked = call("polly-tts", model=model, **fields)
    assert TTS.refusal(asked) is None
    assert TTS.build_request(asked).json["VoiceId"] == voice


def test_its_own_option_names_any_voice(call):
    asked = call("polly-tts", options={"voice": "Newcomer"}, voice="alloy")
    assert TTS.refusal(asked) is None
    assert TTS.build_request(asked).json["VoiceId"] == "Newcomer"


def test_a_voice_of_two_languages_is_told_which(call):
    assert TTS.build_request(call("polly-tts", voice="Kajal", language="hi")).json["LanguageCode"] == "hi-IN"
    assert "LanguageCode" not in TTS.build_request(call("polly-tts", voice="Kajal", language="en")).json
    assert "LanguageCode" not in TTS.build_request(call("polly-tts", voice="Joanna", language="en")).json


@pytest.mark.parametrize(
    ("fields", "options", "named"),
    [
        ({"format": "flac"}, {}, "input.format: flac; polly-tts takes one of mp3, opus"),
        ({"voice": "Kore"}, {}, "voice: Kore; polly-tts model neural takes one of Joanna"),
        ({"text": "x" * 3001}, {}, "input.text: 3001 characters; polly-tts takes at most 3000"),
        ({"text": "&" * 2000, "speed": 0.5}, {}, "input.text as SSML: 10045 characters"),
        ({"speed": 2.5}, {}, "input.speed: 2.5; polly-tts takes 0.2 to 2"),
        ({"speed": 0.9}, {"TextType": "ssml"}, "a text that is SSML names its own pace"),
    ],
)
def test_what_it_cannot_do_is_refused_before_it_is_sent(call, fields, options, named):
    assert named in TTS.refusal(call("polly-tts", options=options, **fields))


def test_a_voice_that_the_engine_lacks_is_refused_before_it_is_sent(call):
    with pytest.raises(LookupError, match="voice: Mizuki; polly-tts has it for standard only, not for neural"):
        call("polly-tts", voice="Mizuki")


def test_a_text_at_another_pace_is_escaped(call):
    body = TTS.build_request(call("polly-tts", text="a < b & c", speed=1.25)).json
    assert body["TextType"] == "ssml"
    assert body["Text"] == '<speak><prosody rate="125%">a &lt; b &amp; c</prosody></speak>'


@pytest.mark.parametrize(
    ("status", "name", "outcome"),
    [
        (400, "ThrottlingException:http://internal.amazon.com/coral/", Outcome.THROTTLED),
        (400, "com.amazonaws.polly#ThrottlingException", Outcome.THROTTLED),
        (402, "ServiceQuotaExceededException", Outcome.THROTTLED),
        (400, "TextLengthExceededException", Outcome.INVALID_REQUEST),
        (409, "ConflictException", Outcome.INVALID_REQUEST),
        (403, "ExpiredTokenException", Outcome.KEY_REJECTED),
        (403, "InvalidSignatureException", Outcome.KEY_REJECTED),
        (403, "AccessDeniedException", Outcome.PERMISSION_DENIED),
        (500, "ServiceFailureException", Outcome.PROVIDER_FAULT),
        (503, "", Outcome.OVERLOADED),
    ],
)
def test_an_error_is_known_by_its_name(call, reply, status, name, outcome):
    failure = TTS.parse_response(reply(status, {"message": "no"}, x_amzn_errortype=name), call("polly-tts"))
    assert failure.outcome is outcome


# --- the one role is throttled ------------------------------------------------------------------------------------


@pytest.fixture
def polly(bench: Bench) -> Bench:
    """A worker whose role may call Polly, beside a key of ElevenLabs."""
    bench.world.source = FixedKeys(keys_from({**ROLE, "POLLY_SPEECH": ON}) | keys(elevenlabs=1))
    return bench


def test_a_throttled_role_is_waited_for(polly: Bench) -> None:
    polly.http.always(POLLY, THROTTLED)
    record = polly.served(tts(providers=["polly-tts"]))
    (delayed,) = polly.queue.delayed
    assert (record.status, [attempt.outcome for attempt in record.attempts]) == (
        JobStatus.DEFERRED,
        [Outcome.THROTTLED],
    )
    polly.http.always(POLLY, speech())
    polly.clock.advance(delayed.delay_seconds)
    record = polly.served(message(delayed.message.body, attributes=delayed.message.attributes, message_id="again"))
    assert (record.status, polly.statuses("polly")) == (JobStatus.SUCCEEDED, ["active"])


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["time", "type", "start", "end", "value"]),
            st.sampled_from(["word", "sentence", 0, 3, 7, 10**6, -1, 1.5, None, "5", 1e300, [], {}]),
        ),
        max_size=6,
    ),
    st.sampled_from(["hello there", "\u4f60\u597d \U0001f600 <b> & more"]),
    st.sampled_from([1.0, 0.9]),
)
def test_no_marks_whatever_they_are_make_it_fail(marks, text, speed):
    call = calling(models("polly-tts")["neural"], TtsInput(text=text, timestamps="word", speed=speed))
    body = b"\n".join(json.dumps(mark).encode() for mark in marks)
    answer = TTS.parse_times(HttpReply(200, {}, body), call)
    assert isinstance(answer, Timed | Failure)
    assert answer.cost_usd == TTS.times_usd(call)
    if isinstance(answer, Timed):
        assert read(written(grouped(answer.times, "word"), "word")["json"]) is not None


def test_or_another_provider_is_taken(polly: Bench) -> None:
    polly.http.always(POLLY, THROTTLED)
    record = polly.served(tts(providers=["polly-tts", "elevenlabs-tts"], strategy="ordered"))
    assert [(each.provider, each.outcome) for each in record.attempts] == [
        ("polly-tts", Outcome.THROTTLED),
        ("elevenlabs-tts", Outcome.DELIVERED),
    ]
    assert polly.clock.sleeps == []


@pytest.mark.parametrize("format_", ["wav", "flac", "aac", "pcm"])
def test_what_polly_does_not_make_is_made_of_its_mp3(polly: Bench, format_: str) -> None:
    recording = io.BytesIO()
    encode(Sound(24_000, 1, iter([bytes(2 * 24_000)])), recording, "mp3")
    polly.http.always(POLLY, Answer(200, recording.getvalue(), {"content-type": "audio/mpeg"}, paid=True))
    record = polly.served(tts(providers=["polly-tts"], input={"format": format_}))
    (output,) = record.outputs
    assert (record.status, output.key.rpartition(".")[2]) == (JobStatus.SUCCEEDED, format_)


def test_where_the_role_may_not_call_it_polly_is_not_there(bench: Bench) -> None:
    bench.world.source = FixedKeys(keys_from({**ROLE, "POLLY_SPEECH": "off"}) | keys(elevenlabs=1))
    assert bench.served(tts()).provider == "elevenlabs-tts"
    both = tts(providers=["polly-tts", "elevenlabs-tts"], strategy="ordered")
    record = bench.served(both, message_id="message-3")
    assert [(each.provider, each.outcome) for each in record.attempts] == [("elevenlabs-tts", Outcome.DELIVERED)]
    bench.handle(tts(providers=["polly-tts"]), message_id="message-2")
    assert bench.causes() == ["no_provider"]
    assert not any(POLLY in call.url for call in bench.http.calls)
