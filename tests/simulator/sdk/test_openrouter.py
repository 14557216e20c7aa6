"""OpenAI's SDK, which OpenRouter names as a client, against the simulator's OpenRouter; and our module beside it."""

import json
from dataclasses import replace

import openai
import pytest
import requests

from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import Delivery, StreamedBody, Voice
from mediarelay.providers.catalogue import models
from mediarelay.providers.openrouter import OPENROUTER_TTS, VENDOR
from mediarelay.providers.probe import ProbeResult
from mediarelay.request.model import TtsInput
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.calls import calling
from tests.harness.media import parsers as parse

GROK, ASSEMBLYAI = "x-ai/grok-voice-tts-1.0", "assemblyai/assemblyai-tts-1"
SPEECH = {"model": GROK, "voice": "eve", "input": "hello there", "response_format": "mp3"}


@pytest.fixture
def client(simulator):
    address, key = simulator.urls["OPENROUTER_BASE_URL"], "sim-openrouter-key-1"
    with openai.OpenAI(base_url=address, api_key=key, max_retries=0) as sdk:
        yield sdk


def asked(model=GROK, **fields):
    given = TtsInput(**{"text": "hello there", **fields})
    return calling(models("openrouter-tts")[model], given)


def meaning(status, error):
    body = json.dumps({"error": error}).encode()
    answer = OPENROUTER_TTS.parse_response(HttpReply(status, {"content-type": "application/json"}, body), asked())
    assert isinstance(answer, Failure)
    return answer.outcome


def test_speech_comes_as_mp3_with_an_id_to_quote(client, control):
    answer = client.audio.speech.create(**SPEECH)
    assert answer.response.headers["content-type"] == "audio/mpeg"
    assert parse.heard(answer.content).seconds == pytest.approx(11 * 0.06, abs=0.05)
    assert control.paid("openrouter") == {"hello there": 1}
    delivery = OPENROUTER_TTS.parse_response(HttpReply(200, answer.response.headers, None), asked())
    assert isinstance(delivery, Delivery)
    assert delivery.media == (StreamedBody(),)
    assert delivery.vendor_request_id == answer.response.headers["x-generation-id"]
    assert delivery.cost_usd == pytest.approx(11 * 15e-6)


def test_pcm_says_its_rate_in_its_type_and_is_taken_for_speech(client):
    answer = client.audio.speech.create(**{**SPEECH, "response_format": "pcm"})
    assert answer.response.headers["content-type"] == "audio/pcm;rate=24000;channels=1"
    assert OPENROUTER_TTS.streams(200, answer.response.headers)


def test_what_we_send_is_what_the_sdk_sends(client, monkeypatch):
    sent = []
    monkeypatch.setattr(client, "post", lambda path, *, body, **_: sent.append((path, body)))
    client.audio.speech.create(**SPEECH)
    request = OPENROUTER_TTS.build_request(asked())
    assert [(request.path, dict(request.json))] == sent


def test_a_model_speaks_with_its_own_voices_only(client):
    assemblyai = OPENROUTER_TTS.build_request(asked(ASSEMBLYAI)).json
    assert assemblyai["voice"] == "aai-jane"
    client.audio.speech.create(**assemblyai)
    assert "voice: eve; openrouter-tts takes one of aai-jane, " in OPENROUTER_TTS.refusal(
        replace(asked(ASSEMBLYAI), voice=Voice("eve"))
    )
    with pytest.raises(openai.BadRequestError):
        client.audio.speech.create(**{**SPEECH, "model": ASSEMBLYAI})


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("bad_key", Outcome.KEY_REJECTED),
        ("permission_denied", Outcome.PERMISSION_DENIED),
        ("quota_exhausted", Outcome.QUOTA_EXHAUSTED),
        ("in_flight_budget", Outcome.THROTTLED),
        ("rate_limited", Outcome.THROTTLED),
        ("upstream_busy", Outcome.OVERLOADED),
        ("content_rejected", Outcome.CONTENT_REJECTED),
        ("not_found", Outcome.MODEL_GONE),
        ("server_error", Outcome.PROVIDER_FAULT),
        ("overloaded", Outcome.OVERLOADED),
        ("timeout", Outcome.TIMEOUT_SENT),
    ],
)
def test_its_errors_are_read_as_what_they_are(client, control, error, outcome):
    control.fault(vendor="openrouter", error=error, count=1)
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.speech.create(**SPEECH)
    answer = caught.value.response
    failure = OPENROUTER_TTS.failure(HttpReply(answer.status_code, answer.headers, answer.content))
    assert (failure.outcome, failure.certain) == (outcome, True)


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (401, {"message": "Missing Authentication header", "code": 401}, Outcome.KEY_REJECTED),
        (200, {"message": "Provider disconnected", "code": 502}, Outcome.PROVIDER_FAULT),
        (404, {"message": "No endpoints available matching your data policy.", "code": 404}, Outcome.PERMISSION_DENIED),
    ],
)
def test_the_number_in_the_body_counts(status, error, outcome):
    assert meaning(status, error) is outcome


def test_a_name_of_nobody_is_no_model(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(**{**SPEECH, "model": "acme/voice"})
    assert meaning(400, caught.value.response.json()["error"]) is Outcome.MODEL_GONE


@pytest.mark.parametrize(("left", "result"), [(None, ProbeResult.WELL), (0, ProbeResult.BALANCE_EMPTY)])
def test_the_probe_tells_a_key_that_is_known_and_one_without_credits(simulator, left, result):
    answer = requests.get(
        simulator.urls["OPENROUTER_BASE_URL"] + VENDOR.probe.path,
        headers={"authorization": "Bearer sim-openrouter-key-1"},
        timeout=600,
    )
    body = answer.json()
    body["data"]["limit_remaining"] = left
    assert VENDOR.probe.result(HttpReply(answer.status_code, {}, json.dumps(body).encode())) is result


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"format": "wav"}, "input.format"), ({"speed": 1.5}, "speed"), ({"text": "x" * 15_001}, "input.text")],
)
def test_what_it_cannot_do_is_refused_before_it_is_sent(fields, named):
    assert named in OPENROUTER_TTS.refusal(asked(**fields))
