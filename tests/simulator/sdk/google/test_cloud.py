"""Google's own client of Cloud Text-to-Speech, by REST and with an API key, against the simulator; and our module."""

import json
import math

import pytest
from google.api_core import exceptions
from google.auth.api_key import Credentials
from google.cloud import texttospeech as official
from google.cloud.texttospeech_v1.services.text_to_speech.transports import TextToSpeechRestTransport

from mediarelay.aws.system_clock import SystemClock
from mediarelay.http.connections import RequestsHttp
from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import Delivery
from mediarelay.providers.catalogue import models
from mediarelay.providers.google import VENDOR
from mediarelay.providers.probe import ProbeResult
from mediarelay.request.model import TtsInput
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.calls import calling
from tests.harness.media import parsers as parse

(TTS,) = VENDOR.providers
KEY = "sim-google-key-1"


@pytest.fixture
def sdk(simulator):
    opened = []

    def make(key=KEY):
        transport = TextToSpeechRestTransport(host=simulator.urls["GOOGLE_BASE_URL"], credentials=Credentials(key))
        opened.append(transport)
        return official.TextToSpeechClient(transport=transport)

    yield make
    for transport in opened:
        transport.close()


@pytest.fixture
def sent(simulator):
    """Sends one of our own requests; the answer with its body."""
    http = RequestsHttp(SystemClock(), allow_plain_http=True)

    def send(request, key=KEY):
        signed = TTS.sign(request.at(simulator.urls["GOOGLE_BASE_URL"]), key, now=0.0)
        with http.send(signed, deadline=math.inf) as answer:
            return HttpReply(answer.status, answer.headers, answer.read(1 << 22))

    return send


def say(client, text="hello there", encoding="MP3", voice="en-US-Chirp3-HD-Charon", **audio):
    return client.synthesize_speech(
        input=official.SynthesisInput(text=text),
        voice=official.VoiceSelectionParams(language_code=voice.partition("-Chirp3")[0], name=voice),
        audio_config=official.AudioConfig(audio_encoding=official.AudioEncoding[encoding], **audio),
        retry=None,
    )


def asked(options=None, **fields):
    return calling(models("google-tts")["chirp3-hd"], TtsInput(**{"text": "hello there", **fields}), options)


@pytest.mark.parametrize("encoding", ["MP3", "LINEAR16", "OGG_OPUS", "PCM"])
def test_speech_comes_in_its_formats(sdk, control, encoding):
    spoken = say(sdk(), encoding=encoding).audio_content
    if encoding == "PCM":
        assert len(spoken) == 2 * 24000 * 11 * 60 // 1000
    else:
        assert parse.heard(spoken).seconds == pytest.approx(11 * 0.06, abs=0.05)
    assert control.paid("google") == {"hello there": 1}


def test_what_we_send_is_what_the_client_sends(sdk, monkeypatch):
    client, bodies = sdk(), []
    session = client.transport._session
    post = session.post
    monkeypatch.setattr(session, "post", lambda url, **how: bodies.append(json.loads(how["data"])) or post(url, **how))
    say(client, voice="de-DE-Chirp3-HD-Kore", speaking_rate=1.5)
    assert [TTS.build_request(asked(voice="Kore", language="de", speed=1.5)).json] == bodies


@pytest.mark.parametrize(
    ("fault", "raised", "outcome"),
    [
        ("rate_limited", exceptions.TooManyRequests, Outcome.THROTTLED),
        ("permission_denied", exceptions.Forbidden, Outcome.PERMISSION_DENIED),
        ("quota_exhausted", exceptions.Forbidden, Outcome.QUOTA_EXHAUSTED),
        ("bad_key", exceptions.BadRequest, Outcome.KEY_REJECTED),
        ("invalid_request", exceptions.BadRequest, Outcome.INVALID_REQUEST),
        ("server_error", exceptions.InternalServerError, Outcome.PROVIDER_FAULT),
        ("overloaded", exceptions.ServiceUnavailable, Outcome.OVERLOADED),
        ("timeout", exceptions.GatewayTimeout, Outcome.TIMEOUT_SENT),
    ],
)
def test_the_client_and_our_module_read_an_error_alike(sdk, sent, control, fault, raised, outcome):
    control.fault(vendor="google", error=fault, count=2)
    with pytest.raises(raised):
        say(sdk())
    failure = TTS.parse_response(sent(TTS.build_request(asked())), asked())
    assert isinstance(failure, Failure)
    assert failure.outcome is outcome


def test_a_key_that_nobody_has_is_refused(sdk, control):
    with pytest.raises(exceptions.BadRequest, match="API key not valid"):
        say(sdk("another"))
    assert control.paid() == {}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"voice": "es-ES-X"}, r"Voice 'es-ES-X' does not exist\. Is it misspelled\?"),
        ({"text": "é" * 2501}, "longer than the limit of 5000 bytes"),
        ({"speaking_rate": 2.5}, "Speaking rate"),
    ],
)
def test_the_simulator_refuses_what_the_vendor_refuses(sdk, fields, said):
    with pytest.raises(exceptions.BadRequest, match=said):
        say(sdk(), **fields)


@pytest.mark.parametrize(
    "call",
    [
        asked(),
        asked(text="é" * 2500),
        asked(voice="alloy", language="pt-BR", format="wav"),
        asked(voice="en-GB-Chirp3-HD-Puck", format="opus", speed=0.5),
        asked(format="pcm", language="zh", options={"audioConfig": {"volumeGainDb": 2}}),
    ],
    ids=["plain", "longest", "named", "whole", "pcm"],
)
def test_our_own_requests_are_understood_and_priced_alike(sent, control, call):
    assert TTS.refusal(call) is None
    delivery = TTS.parse_response(sent(TTS.build_request(call)), call)
    assert isinstance(delivery, Delivery)
    assert delivery.media[0].data
    assert delivery.cost_usd == pytest.approx(len(call.input.text) * 30e-6)
    assert control.stats()["paid"] == 1


def test_an_answer_without_sound_is_paid_in_vain(sent, control):
    control.fault(vendor="google", error="empty", count=1)
    failure = TTS.parse_response(sent(TTS.build_request(asked())), asked())
    assert isinstance(failure, Failure)
    assert failure.outcome is Outcome.UNUSABLE_DELIVERY


def test_the_probe_is_answered_and_tells_a_key_that_is_refused(sdk, sent):
    assert sdk().list_voices(language_code="et-EE").voices
    assert VENDOR.probe.result(sent(VENDOR.probe.request)) is ProbeResult.WELL
    assert VENDOR.probe.result(sent(VENDOR.probe.request, "another")) is ProbeResult.KEY_REJECTED


def test_the_limit_is_the_projects(sdk, simulator):
    project = {"keys": ["k1", "k2"], "requests_per_second": 0.1, "burst": 1}
    simulator.client.configure({"vendors": {"google": {"project": project}}, "latency": {}})
    assert say(sdk("k1")).audio_content
    with pytest.raises(exceptions.TooManyRequests):
        say(sdk("k2"))
