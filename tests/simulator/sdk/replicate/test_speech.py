"""The vendor's own SDK against the simulator's speech on Replicate, unchanged; and our module beside it."""

import json
from contextlib import ExitStack

import pytest
import replicate
import requests
from replicate.exceptions import ReplicateError

from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import Accepted, Delivery, ProviderCall, RemoteMedia, Voice
from mediarelay.providers.catalogue import models
from mediarelay.providers.probe import ProbeResult
from mediarelay.providers.replicate import VENDOR
from mediarelay.providers.replicate.speech import ReplicateTts
from mediarelay.request.model import TtsInput
from tests.harness.media import parsers as parse

MODEL = "minimax/speech-2.8-turbo"
KEY = "sim-replicate-key-1"
TTS = ReplicateTts()


@pytest.fixture
def sdk(simulator):
    with ExitStack() as opened:

        def make(key=KEY):
            made = replicate.Client(api_token=key, base_url=simulator.urls["REPLICATE_BASE_URL"])
            opened.enter_context(made._client)  # the SDK has no way to close its connections
            return made

        yield make


def say(client, text="hello there", **given):
    return client.models.predictions.create(MODEL, input={"text": text, **given}, wait=5)


def asked(**fields):
    given = TtsInput(**{"text": "hello there", **fields})
    return ProviderCall("job-1", given, models("replicate-tts")[MODEL], {}, Voice("Wise_Woman"))


def answered(simulator, request, key=KEY):
    signed = TTS.sign(request.at(simulator.urls["REPLICATE_BASE_URL"]), key, now=0.0)
    answer = requests.request(signed.method, signed.url, data=signed.body, headers=dict(signed.headers), timeout=600)
    return HttpReply(answer.status_code, answer.headers, answer.content)


@pytest.mark.parametrize("name", ["mp3", "wav", "flac"])
def test_speech_comes_in_the_format_that_is_asked_for(sdk, control, name):
    made = say(sdk(), audio_format=name)
    assert made.status == "succeeded"
    heard = parse.heard(requests.get(made.output, timeout=600).content)
    assert heard.seconds == pytest.approx(11 * 0.06, abs=0.1)
    assert control.paid("replicate") == {"hello there": 1}


def test_what_we_send_is_what_the_sdk_sends(sdk, monkeypatch):
    client, sent = sdk(), []

    def seen(method, path, **given):
        sent.append((method, path, json.loads(json.dumps(given["json"])), given["headers"]["Prefer"]))
        raise ReplicateError(status=599)

    monkeypatch.setattr(client, "_request", seen)
    with pytest.raises(ReplicateError):
        say(client, voice_id="Wise_Woman", audio_format="mp3")
    request = TTS.held(TTS.build_request(asked()), 60.0)
    assert sent == [(request.method, request.path, dict(request.json), request.headers["prefer"])]


def test_a_sentence_is_delivered_in_the_answer(simulator):
    answer = TTS.parse_response(answered(simulator, TTS.held(TTS.build_request(asked()), 60.0)), asked())
    assert isinstance(answer, Delivery)
    (media,) = answer.media
    assert isinstance(media, RemoteMedia)
    assert requests.get(media.url, timeout=600).headers["content-type"] == "audio/mpeg"
    assert answer.cost_usd == pytest.approx(11 * 60e-6)


def test_what_still_runs_is_accepted_polled_and_stopped(simulator, control):
    control.fault(vendor="replicate", operation="speech_run", kind="timeout", match="endless")
    call = asked(text="endless")
    request = TTS.held(TTS.build_request(call), 1.0)
    accepted = TTS.parse_response(answered(simulator, request), call)
    assert isinstance(accepted, Accepted)
    assert type(TTS.parse_poll(answered(simulator, TTS.poll_request(accepted.task)), call)).__name__ == "Running"
    stopped = TTS.parse_poll(answered(simulator, TTS.cancel_request(accepted.task)), call)
    assert stopped.failure.code == "prediction_canceled"


@pytest.mark.parametrize("given", [{"text": "x" * 10_001}, {"audio_format": "ogg"}, {"sample_rate": 1}, {"speed": 3}])
def test_what_is_refused_is_told_as_a_problem(sdk, given):
    with pytest.raises(ReplicateError) as refused:
        say(sdk(), **given)
    assert (refused.value.status, refused.value.title) == (422, "Input validation failed")


@pytest.mark.parametrize(("key", "result"), [(KEY, ProbeResult.WELL), ("unknown", ProbeResult.KEY_REJECTED)])
def test_the_probe_tells_a_known_key_from_another(simulator, key, result):
    assert VENDOR.probe.result(answered(simulator, VENDOR.probe.request, key)) is result


def test_the_account_is_what_the_sdk_reads(sdk):
    assert sdk().accounts.current().username == "acme"
