"""The vendor's own SDK against the simulator's Gemini."""

import io
import math
import wave
from contextlib import ExitStack

import pytest
import requests
from google import genai
from google.genai import errors, types

from mediarelay.aws.system_clock import SystemClock
from mediarelay.http.connections import RequestsHttp
from mediarelay.http.messages import HttpReply
from mediarelay.providers.catalogue import models
from mediarelay.providers.gemini.speech import GeminiTts
from mediarelay.request.model import TtsInput
from tests.builders.calls import calling

MODEL = "gemini-3.8-flash-tts"
HELLO = len("hello there")


@pytest.fixture
def sdk(simulator):
    with ExitStack() as opened:

        def make(key="sim-gemini-key-1", version=None):
            options = types.HttpOptions(base_url=simulator.urls["GEMINI_BASE_URL"], api_version=version)
            return opened.enter_context(genai.Client(api_key=key, http_options=options))

        yield make


def config(voice="Kore", **more):
    named = types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name=voice))
    manner = types.SpeechConfig(voice_config=named, **more)
    return types.GenerateContentConfig(response_modalities=["AUDIO"], speech_config=manner)


def say(client, text="hello there", model=MODEL, asked=None):
    return client.models.generate_content(model=model, contents=text, config=asked or config())


@pytest.mark.parametrize("version", [None, "v1", "v1beta"])
def test_speech_is_a_whole_wav_file_at_either_version(sdk, control, version):
    answer = say(sdk(version=version))
    blob = answer.candidates[0].content.parts[0].inline_data
    assert blob.mime_type == "audio/wav"
    with wave.open(io.BytesIO(blob.data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24000, 1, 2)
        assert file.getnframes() == HELLO * 60 * 24  # 60 ms a character
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    assert control.paid("gemini") == {"hello there": 1}


def test_usage_tells_tokens_of_text_and_speech(sdk):
    usage = say(sdk()).usage_metadata
    assert (usage.prompt_token_count, usage.candidates_token_count) == (3, 17)
    assert usage.total_token_count == 20


def test_a_style_and_a_language_are_taken(sdk):
    part = types.Part(text="hello there", speech_metadata=types.SpeechMetadata(style="calm"))
    asked = config(language_code="en-US")
    assert say(sdk(), types.Content(role="user", parts=[part]), asked=asked).candidates


def test_models_are_listed_a_page_at_a_time(sdk):
    pages = sdk().models.list(config={"page_size": 1})
    assert pages.page[0].name == f"models/{MODEL}"


def test_the_free_probe(simulator):
    url = f"{simulator.urls['GEMINI_BASE_URL']}/v1beta/models"
    answer = requests.get(url, params={"pageSize": 1}, headers={"x-goog-api-key": "sim-gemini-key-1"}, timeout=600)
    assert (answer.status_code, len(answer.json()["models"])) == (200, 1)


@pytest.mark.parametrize(
    ("given", "status", "name"),
    [
        ({"model": "gemini-2.5-flash-preview-tts"}, 404, "NOT_FOUND"),
        ({"text": ""}, 400, "INVALID_ARGUMENT"),
        ({"text": "x" * (4 * 8192 + 1)}, 400, "INVALID_ARGUMENT"),
        ({"asked": config(voice="no such voice")}, 400, "INVALID_ARGUMENT"),
        ({"asked": config(language_code="??")}, 400, "INVALID_ARGUMENT"),
        ({"asked": types.GenerateContentConfig(response_modalities=["TEXT"])}, 400, "INVALID_ARGUMENT"),
    ],
)
def test_bad_requests(sdk, control, given, status, name):
    with pytest.raises(errors.ClientError) as caught:
        say(sdk(), **given)
    assert (caught.value.code, caught.value.status) == (status, name)
    assert control.paid() == {}


def test_an_unknown_key_is_a_bad_request_with_a_reason(sdk):
    with pytest.raises(errors.ClientError) as caught:
        say(sdk("nobodys-key"))
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize(
    ("name", "status", "word"),
    [
        ("leaked_key", 403, "PERMISSION_DENIED"),
        ("permission_denied", 403, "PERMISSION_DENIED"),
        ("failed_precondition", 400, "FAILED_PRECONDITION"),
        ("quota_exhausted", 429, "RESOURCE_EXHAUSTED"),
        ("exhausted", 429, "RESOURCE_EXHAUSTED"),
        ("not_found", 404, "NOT_FOUND"),
        ("server_error", 500, "INTERNAL"),
        ("overloaded", 503, "UNAVAILABLE"),
        ("timeout", 504, "DEADLINE_EXCEEDED"),
    ],
)
def test_named_errors_reach_the_sdk(sdk, control, name, status, word):
    control.fault(vendor="gemini", error=name, count=1)
    with pytest.raises(errors.APIError) as caught:
        say(sdk())
    assert (caught.value.code, caught.value.status) == (status, word)


def test_what_is_blocked_is_a_success_without_speech(sdk, control):
    control.fault(vendor="gemini", error="content_rejected", count=1)
    answer = say(sdk())
    assert answer.candidates[0].finish_reason is types.FinishReason.PROHIBITED_CONTENT
    assert not answer.candidates[0].content.parts
    control.fault(vendor="gemini", error="prompt_blocked", count=1)
    assert say(sdk()).prompt_feedback.block_reason is types.BlockedReason.PROHIBITED_CONTENT
    assert control.paid() == {}


def test_the_limit_is_the_projects_and_the_refusal_tells_it(sdk, simulator):
    project = {"keys": ["k1", "k2"], "requests_per_second": 0.1, "burst": 1}
    simulator.client.configure({"vendors": {"gemini": {"project": project}}, "latency": {}})
    assert say(sdk("k1")).candidates
    with pytest.raises(errors.ClientError) as caught:
        say(sdk("k2"))
    quota, retry = caught.value.details["error"]["details"]
    violation = quota["violations"][0]
    assert (violation["quotaId"], violation["quotaValue"]) == ("GenerateRequestsPerMinutePerProjectPerModel", "6")
    assert 0 < int(retry["retryDelay"].removesuffix("s")) <= 10


def test_our_own_requests_are_understood_and_priced_alike(simulator, control):
    asked = TtsInput(text="hello there", format="wav", language="en-GB", instructions="Gently.")
    provider, call = GeminiTts(), calling(models("gemini-tts")[MODEL], asked)
    http = RequestsHttp(SystemClock(), allow_plain_http=True)
    request = provider.build_request(call).at(simulator.urls["GEMINI_BASE_URL"])
    with http.send(provider.sign(request, "sim-gemini-key-1", now=0.0), deadline=math.inf) as answer:
        delivery = provider.parse_response(HttpReply(answer.status, answer.headers, answer.read(1 << 20)), call)
    with wave.open(io.BytesIO(delivery.media[0].data)) as opened:
        assert opened.getnframes() == HELLO * 60 * 24
    assert control.stats()["paid"] == 1
    assert delivery.cost_usd == pytest.approx((3 * 0.5 + 17 * 9.0) / 1e6)
