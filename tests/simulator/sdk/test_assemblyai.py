"""OpenAI's SDK, which AssemblyAI names as its client, against the simulator's AssemblyAI; and our module beside it."""

import openai
import pytest

from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import Delivery, StreamedBody
from mediarelay.providers.assemblyai import ASSEMBLYAI_TTS
from mediarelay.providers.catalogue import models
from mediarelay.request.model import TtsInput
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.calls import calling
from tests.harness.media import parsers as parse

SPEECH = {"model": "assemblyai-tts-en", "voice": "aai-jane", "input": "hello there"}
TTS = ASSEMBLYAI_TTS


@pytest.fixture
def client(simulator):
    address, key = simulator.urls["ASSEMBLYAI_BASE_URL"], "sim-assemblyai-key-1"
    with openai.OpenAI(base_url=address, api_key=key, max_retries=0) as sdk:
        yield sdk


def asked(model="assemblyai-tts-en", **fields):
    given = TtsInput(**{"text": "hello there", **fields})
    return calling(models("assemblyai-tts")[model], given)


@pytest.mark.parametrize(("name", "media_type"), [("mp3", "audio/mpeg"), ("wav", "audio/wav"), ("pcm", "audio/pcm")])
def test_speech_comes_in_its_three_formats(client, control, name, media_type):
    answer = client.audio.speech.create(**SPEECH, response_format=name)
    assert answer.response.headers["content-type"] == media_type
    if name != "pcm":
        assert parse.heard(answer.content).seconds == pytest.approx(11 * 0.06, abs=0.05)
    assert control.paid("assemblyai") == {"hello there": 1}


def test_what_we_send_is_what_the_sdk_sends(client, monkeypatch):
    sent = []
    monkeypatch.setattr(client, "post", lambda path, *, body, **_: sent.append((path, body)))
    client.audio.speech.create(**SPEECH, response_format="mp3")
    request = TTS.build_request(asked(voice="aai-jane"))
    assert [(request.path, dict(request.json))] == sent


@pytest.mark.parametrize("model", ["gpt-4o-mini-tts", "tts-1"])
def test_a_model_of_openai_is_not_there(client, model):
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.speech.create(**{**SPEECH, "model": model})
    answer = refused.value.response
    failure = TTS.parse_response(HttpReply(answer.status_code, answer.headers, answer.content), asked())
    assert isinstance(failure, Failure)
    assert (failure.outcome, failure.code) == (Outcome.MODEL_GONE, "model_not_found")


def test_a_missing_key_is_a_rejected_one():
    body = b'{"error": {"message": "Send a key.", "type": "invalid_request_error", "code": "missing_authorization"}}'
    failure = TTS.failure(HttpReply(401, {"content-type": "application/json"}, body))
    assert failure.outcome is Outcome.KEY_REJECTED


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"format": "opus"}, "input.format"),
        ({"speed": 1.5}, "speed"),
        ({"voice": "Kore"}, "voice"),
        ({"text": "x" * 5001}, "input.text"),
    ],
)
def test_what_it_cannot_do_is_refused_before_it_is_sent(fields, named):
    refused = TTS.refusal(asked(**fields))
    assert refused is not None
    assert named in refused


@pytest.mark.parametrize(("voice", "speaks"), [(None, "aai-jane"), ("alloy", "aai-jane"), ("aai-george", "aai-george")])
def test_its_own_voices_and_those_it_maps_are_taken(voice, speaks):
    assert TTS.refusal(asked(voice=voice)) is None
    assert TTS.build_request(asked(voice=voice)).json["voice"] == speaks


def test_the_streamed_body_is_the_speech():
    answer = TTS.parse_response(HttpReply(200, {"content-type": "audio/mpeg"}, None), asked())
    assert isinstance(answer, Delivery)
    assert answer.media == (StreamedBody(),)
    assert answer.cost_usd == pytest.approx(11 * 15e-6)
