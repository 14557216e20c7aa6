"""The vendor's own SDK against the simulator's Qwen, unchanged; and our module beside it."""

import json

import dashscope
import pytest
import requests

from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import Delivery, RemoteMedia
from mediarelay.providers.catalogue import models
from mediarelay.providers.probe import ProbeResult
from mediarelay.providers.qwen import VENDOR
from mediarelay.providers.qwen.speech import QwenTts
from mediarelay.request.model import TtsInput
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.calls import calling
from tests.harness.media import parsers as parse

KEY = "sim-qwen-key-1"
SPEECH = {"model": "qwen3-tts-flash", "text": "hello there", "voice": "Ethan", "language_type": "English"}
TTS = QwenTts()


@pytest.fixture
def say(simulator, monkeypatch):
    monkeypatch.setattr(dashscope, "base_http_api_url", simulator.urls["QWEN_BASE_URL"])
    yield lambda key=KEY, **fields: dashscope.MultiModalConversation.call(api_key=key, **{**SPEECH, **fields})
    dashscope.api_entities.http_request.close_shared_sync_session()


def asked(**fields):
    given = TtsInput(**{"text": "hello there", "voice": "Ethan", "language": "en", "format": "wav", **fields})
    return calling(models("qwen-tts")["qwen3-tts-flash"], given)


def posted(simulator, call, key=KEY):
    request = TTS.sign(TTS.build_request(call).at(simulator.urls["QWEN_BASE_URL"]), key, now=0.0)
    answer = requests.post(request.url, data=request.body, headers=dict(request.headers), timeout=600)
    return TTS.parse_response(HttpReply(answer.status_code, answer.headers, answer.content), call)


def test_speech_is_a_link_to_a_wav_file(say, control):
    answer = say()
    assert (answer.status_code, answer.usage["characters"]) == (200, 11)
    heard = parse.heard(requests.get(answer.output.audio["url"], timeout=600).content)
    assert heard.seconds == pytest.approx(11 * 0.06, abs=0.1)
    assert control.paid("qwen") == {"hello there": 1}


def test_a_chinese_character_counts_twice(say):
    assert say(text="你好 a").usage["characters"] == 6


def test_what_we_send_is_what_the_sdk_sends(say, monkeypatch):
    sent = []

    def seen(_session, method, url, **given):
        sent.append((method, url, json.loads(given["data"]) if given.get("data") else given["json"]))
        raise requests.ConnectionError

    monkeypatch.setattr(requests.Session, "request", seen)
    monkeypatch.setattr(requests.Session, "post", lambda session, url, **given: seen(session, "POST", url, **given))
    with pytest.raises(requests.ConnectionError):
        say()
    request = TTS.build_request(asked()).at(dashscope.base_http_api_url)
    assert sent[0] == (request.method, request.url, dict(request.json))


def test_what_the_simulator_sends_is_delivered(simulator):
    answer = posted(simulator, asked())
    assert isinstance(answer, Delivery)
    (media,) = answer.media
    assert isinstance(media, RemoteMedia)
    assert requests.get(media.url, timeout=600).headers["content-type"] == "audio/wav"
    assert answer.cost_usd == pytest.approx(11 * 10e-6)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"key": "unknown"}, 401, "InvalidApiKey"),
        ({"voice": "Kore"}, 400, "InvalidParameter"),
        ({"text": "x" * 601}, 400, "InvalidParameter"),
        ({"language_type": "Swedish"}, 400, "InvalidParameter"),
        ({"model": "qwen-tts-of-old"}, 404, "ModelNotFound"),
    ],
)
def test_what_is_refused_is_told_by_its_code(say, fields, status, code):
    answer = say(**fields)
    assert (answer.status_code, answer.code) == (status, code)
    assert answer.message


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        ("bad_key", Outcome.KEY_REJECTED),
        ("permission_denied", Outcome.PERMISSION_DENIED),
        ("quota_exhausted", Outcome.QUOTA_EXHAUSTED),
        ("rate_limited", Outcome.THROTTLED),
        ("concurrency_limited", Outcome.THROTTLED),
        ("content_rejected", Outcome.CONTENT_REJECTED),
        ("invalid_request", Outcome.INVALID_REQUEST),
        ("not_found", Outcome.MODEL_GONE),
        ("server_error", Outcome.PROVIDER_FAULT),
        ("overloaded", Outcome.OVERLOADED),
        ("timeout", Outcome.TIMEOUT_SENT),
    ],
)
def test_each_error_is_read_as_what_it_is(simulator, control, error, outcome):
    control.fault(vendor="qwen", operation="speech", kind="status", error=error)
    answer = posted(simulator, asked())
    assert isinstance(answer, Failure)
    assert answer.outcome is outcome


def test_the_storage_is_never_sent_a_key(say, control):
    url = say().output.audio["url"]
    assert requests.get(url, headers={"authorization": f"Bearer {KEY}"}, timeout=600).status_code == 400
    assert control.stats()["leaked_credentials"] == 1


@pytest.mark.parametrize(("key", "result"), [(KEY, ProbeResult.WELL), ("unknown", ProbeResult.KEY_REJECTED)])
def test_the_probe_tells_a_known_key_from_another(simulator, key, result):
    request = TTS.sign(VENDOR.probe.request.at(simulator.urls["QWEN_BASE_URL"]), key, now=0.0)
    answer = requests.get(request.url, params=request.params, headers=dict(request.headers), timeout=600)
    assert VENDOR.probe.result(HttpReply(answer.status_code, answer.headers, answer.content)) is result


@pytest.mark.usefixtures("say")
def test_the_sdks_list_of_models_is_what_the_probe_asks_for():
    listed = dashscope.Models.list(page=1, page_size=1, api_key=KEY)
    assert [each["model"] for each in listed.output["models"]] == ["qwen3-tts-flash"]
