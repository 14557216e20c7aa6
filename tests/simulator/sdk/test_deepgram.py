"""Deepgram's SDK against the simulator's Deepgram; and our module beside it."""

from urllib.parse import parse_qsl

import httpx
import pytest
import requests
from deepgram import DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment

from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import Delivery, StreamedBody
from mediarelay.providers.catalogue import models
from mediarelay.providers.deepgram import VENDOR
from mediarelay.providers.deepgram.speech import DeepgramTts, deepgram_failure
from mediarelay.providers.probe import ProbeResult
from mediarelay.request.model import TtsInput
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.calls import calling
from tests.harness.media import parsers as parse

# The SDK imports names that its own library of sockets calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")
TTS = DeepgramTts()
SPEECH = {"text": "hello there", "model": "aura-2-thalia-en"}


@pytest.fixture
def client(simulator):
    address = simulator.urls["DEEPGRAM_BASE_URL"]
    where = DeepgramClientEnvironment(base=address, production=address, agent=address, agent_rest=address)
    with httpx.Client() as pool:
        yield DeepgramClient(api_key="sim-deepgram-key-1", environment=where, httpx_client=pool)


def spoken(client, **fields):
    with client.speak.v1.audio.with_raw_response.generate(
        **{**SPEECH, **fields}, request_options={"max_retries": 0}
    ) as answer:
        return answer.headers, b"".join(answer.data)


def asked(options=None, **fields):
    given = TtsInput(**{"text": "hello there", **fields})
    return calling(models("deepgram-tts")["aura-2"], given, options)


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav"])
def test_speech_comes_in_the_format_that_we_ask_for(client, control, name):
    request = TTS.build_request(asked(format=name))
    headers, audio = spoken(client, **{**dict(request.params), **request.json})
    assert parse.heard(audio).seconds == pytest.approx(11 * 0.06, abs=0.1)
    assert headers["content-type"].startswith("audio/")
    assert TTS.streams(200, headers)
    assert control.paid("deepgram") == {"hello there": 1}


def test_pcm_is_raw_samples_at_24_kilohertz(client):
    request = TTS.build_request(asked(format="pcm"))
    _, audio = spoken(client, **{**dict(request.params), **request.json})
    assert len(audio) == pytest.approx(11 * 0.06 * 24_000 * 2, rel=0.2)


def test_what_we_send_is_what_the_sdk_sends():
    sent = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append((request.url.path, dict(parse_qsl(request.url.query.decode())), request.content))
        return httpx.Response(200, content=b"")

    with httpx.Client(transport=httpx.MockTransport(keep)) as pool:
        sdk = DeepgramClient(api_key="sim-deepgram-key-1", httpx_client=pool)
        spoken(sdk, encoding="linear16", container="wav", sample_rate=24000, speed=1.5)
    request = TTS.build_request(asked(format="wav", speed=1.5))
    ((path, query, body),) = sent
    assert (path, query) == (request.path, dict(request.params))
    assert requests.models.complexjson.loads(body) == request.json


def test_the_price_is_of_the_characters_that_were_billed(client):
    headers, _ = spoken(client)
    delivery = TTS.parse_response(HttpReply(200, headers, None), asked())
    assert isinstance(delivery, Delivery)
    assert (delivery.media, delivery.vendor_request_id) == ((StreamedBody(),), headers["dg-request-id"])
    assert delivery.cost_usd == pytest.approx(11 * 30e-6)
    fewer = TTS.parse_response(HttpReply(200, {"content-type": "audio/mpeg", "dg-char-count": "5"}, None), asked())
    assert isinstance(fewer, Delivery)
    assert fewer.cost_usd == pytest.approx(5 * 30e-6)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("bad_key", Outcome.KEY_REJECTED),
        ("permission_denied", Outcome.PERMISSION_DENIED),
        ("quota_exhausted", Outcome.QUOTA_EXHAUSTED),
        ("rate_limited", Outcome.THROTTLED),
        ("content_rejected", Outcome.CONTENT_REJECTED),
        ("invalid_request", Outcome.INVALID_REQUEST),
        ("not_found", Outcome.INVALID_REQUEST),
        ("server_error", Outcome.PROVIDER_FAULT),
        ("overloaded", Outcome.OVERLOADED),
        ("timeout", Outcome.TIMEOUT_SENT),
    ],
)
def test_its_errors_are_read_as_what_they_are(client, control, error, outcome):
    control.fault(vendor="deepgram", error=error)
    with pytest.raises(ApiError) as caught:
        spoken(client)
    answer = requests.post(
        client._client_wrapper.get_environment().base + "/v1/speak",
        headers={"authorization": "Token sim-deepgram-key-1"},
        json={"text": "hello"},
        timeout=600,
    )
    assert caught.value.status_code == answer.status_code
    failure = deepgram_failure(HttpReply(answer.status_code, {}, answer.content))
    assert failure.outcome is outcome


def test_a_voice_of_nobody_is_told_apart_from_a_model_that_is_gone(client):
    with pytest.raises(ApiError) as caught:
        spoken(client, model="aura-2-nobody-en")
    body = b'{"err_code": "Bad Request", "err_msg": "No such model/version combination found."}'
    failure = deepgram_failure(HttpReply(caught.value.status_code, {}, body))
    assert (failure.outcome, failure.code) == (Outcome.INVALID_REQUEST, "no_such_voice")


def test_the_language_chooses_the_voice():
    assert TTS.build_request(asked()).params["model"] == "aura-2-thalia-en"
    assert TTS.build_request(asked(language="de")).params["model"] == "aura-2-viktoria-de"
    assert TTS.build_request(asked(voice="aura-2-lars-nl")).params["model"] == "aura-2-lars-nl"


@pytest.mark.parametrize(
    ("fields", "options", "named"),
    [
        ({"text": "x" * 2001}, {}, "input.text"),
        ({"speed": 1.6}, {}, "input.speed"),
        ({"speed": 1.2, "language": "de"}, {}, "input.speed"),
        ({"voice": "Kore"}, {}, "voice: Kore"),
    ],
)
def test_what_it_cannot_do_is_refused_before_it_is_sent(fields, options, named):
    assert TTS.refusal(asked(options, **fields)).startswith(named)


def test_an_option_is_a_parameter_of_the_query():
    assert TTS.build_request(asked({"mip_opt_out": True})).params["mip_opt_out"] == "true"


def test_the_probe_tells_a_key_that_is_known(client, simulator):
    assert [project.name for project in client.manage.v1.projects.list().projects] == ["simulated"]
    answer = requests.get(
        simulator.urls["DEEPGRAM_BASE_URL"] + VENDOR.probe.path, headers={"authorization": "Token nobody"}, timeout=600
    )
    assert VENDOR.probe.result(HttpReply(answer.status_code, {}, answer.content)) is ProbeResult.KEY_REJECTED
