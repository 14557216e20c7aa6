import base64

import openai
import pytest

from tests.harness.media import parsers as parse

SPEECH = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "hello there"}


@pytest.fixture
def client(simulator):
    with openai.OpenAI(base_url=simulator.urls["OPENAI_BASE_URL"], api_key="sim-openai-key-1", max_retries=0) as sdk:
        yield sdk


@pytest.mark.parametrize(
    ("name", "media_type", "magic"),
    [
        ("mp3", "audio/mpeg", b"\xff\xf3"),
        ("opus", "audio/opus", b"OggS"),
        ("aac", "audio/aac", b"\xff\xf1"),
        ("flac", "audio/flac", b"fLaC"),
        ("wav", "audio/wav", b"RIFF"),
        ("pcm", "audio/pcm", b"\x00\x00"),
    ],
)
def test_speech_comes_in_every_format(client, name, media_type, magic):
    answer = client.audio.speech.create(**SPEECH, response_format=name)
    assert answer.response.headers["content-type"] == media_type
    assert answer.content.startswith(magic)


def test_speech_defaults_to_mp3_and_is_booked_once(client, control):
    answer = client.audio.speech.create(**SPEECH)
    assert parse.heard(answer.content).seconds == pytest.approx(11 * 0.06, abs=0.03)
    assert answer.response.headers["x-request-id"].startswith("req_")
    assert control.paid() == {"hello there": 1}


def test_speech_streams_as_events(client):
    with client.audio.speech.with_streaming_response.create(**SPEECH, stream_format="sse") as answer:
        text = answer.read().decode()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert text.count("speech.audio.delta") >= 1
    assert text.rstrip().endswith("}}")
    assert '"speech.audio.done"' in text


def test_images_come_as_base64_with_usage(client):
    answer = client.images.generate(model="gpt-image-2", prompt="a cat", n=2, size="1536x1024", quality="low")
    assert [image.url for image in answer.data] == [None, None]
    size = parse.picture(base64.b64decode(answer.data[0].b64_json), "png").size
    assert (*size, answer.size, answer.quality) == (1536, 1024, "1536x1024", "low")
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert answer.usage.output_tokens == 2 * round(196 * 0.165 / 0.211)


@pytest.mark.parametrize(("kind", "magic"), [("jpeg", b"\xff\xd8"), ("webp", b"RIFF")])
def test_images_come_in_the_asked_format(client, kind, magic):
    answer = client.images.generate(model="gpt-image-2.6-flare", prompt="a cat", size="1024x640", output_format=kind)
    assert base64.b64decode(answer.data[0].b64_json).startswith(magic)
    assert answer.output_format == kind


def test_models_tell_their_shutdown(client):
    ends = {model.id: model.model_extra.get("shutdown_date", model) for model in client.models.list()}
    raw = client.models.with_raw_response.list().http_response.json()["data"]
    assert {entry["id"]: entry["shutdown_date"] for entry in raw}["tts-1"] == "2027-01-06"
    assert set(ends) >= {"gpt-image-2", "tts-1-hd"}


def test_an_unknown_key_is_an_authentication_error(simulator):
    with (
        openai.OpenAI(base_url=simulator.urls["OPENAI_BASE_URL"], api_key="nobodys-key", max_retries=0) as sdk,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        sdk.models.list()
    assert caught.value.code == "invalid_api_key"
    assert "Incorrect API key provided" in caught.value.message


@pytest.mark.parametrize("model", ["gpt-image-1", "tts-9"])
def test_a_retired_or_unknown_model_is_not_found(client, model):
    with pytest.raises(openai.NotFoundError) as caught:
        client.audio.speech.create(**SPEECH | {"model": model})
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"voice": "darth"}, "voice"),
        ({"input": "x" * 4097}, "input"),
        ({"input": ""}, "input"),
        ({"speed": 5}, "speed"),
        ({"response_format": "midi"}, "response_format"),
        ({"model": ""}, "model"),
        ({"model": "tts-1", "stream_format": "sse"}, "stream_format"),
    ],
)
def test_bad_speech_requests_name_the_parameter(client, control, change, param):
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(**SPEECH | change)
    assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")
    assert control.paid() == {}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"size": "100x100000"}, "size"),
        ({"size": "1000x1000"}, "size"),
        ({"n": 11}, "n"),
        ({"quality": "hd"}, "quality"),
        ({"quality": "max"}, "quality"),
        ({"response_format": "url"}, "response_format"),
        ({"style": "vivid"}, "style"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
        ({"output_compression": 50}, "output_compression"),
        ({"prompt": "x" * 32_001}, "prompt"),
    ],
)
def test_bad_image_requests_name_the_parameter(client, change, param):
    with pytest.raises(openai.BadRequestError) as caught:
        client.images.generate(**{"model": "gpt-image-2", "prompt": "a cat"} | change)
    assert caught.value.param == param


def test_a_rate_limit_can_be_read_from_the_exception(client, simulator):
    account = {"keys": ["sim-openai-key-1"], "requests_per_second": 0.2, "burst": 1}
    simulator.client.configure({"vendors": {"openai": {"small": account}}, "latency": {}})
    first = client.audio.speech.create(**SPEECH).response.headers
    assert first["x-ratelimit-limit-requests"] == "12"
    assert first["x-ratelimit-remaining-requests"] == "0"
    assert first["x-ratelimit-reset-requests"].endswith("s")
    with pytest.raises(openai.RateLimitError, match=r"Please try again in \d+s") as caught:
        client.audio.speech.create(**SPEECH)
    headers = caught.value.response.headers
    assert (caught.value.code, caught.value.type) == ("rate_limit_exceeded", "requests")
    assert 0 < int(headers["retry-after-ms"]) <= 5000
    assert 0 < int(headers["retry-after"]) <= 5
    assert caught.value.request_id.startswith("req_")


@pytest.mark.parametrize(
    ("name", "status", "marker"),
    [
        ("quota_exhausted", 429, "insufficient_quota"),
        ("credit_balance_exhausted", 429, "credit_balance_exhausted"),
        ("slow_down", 429, "slow_down"),
        ("content_rejected", 400, "moderation_blocked"),
        ("overloaded", 503, "server_is_overloaded"),
        ("server_error", 500, None),
        ("permission_denied", 403, None),
    ],
)
def test_named_errors_reach_the_sdk(client, control, name, status, marker):
    control.fault(vendor="openai", error=name, count=1)
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.speech.create(**SPEECH)
    assert (caught.value.status_code, caught.value.code) == (status, marker)


def test_an_unknown_path_is_an_openai_error_and_is_noted(client, control):
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="tts-1", input="x")
    assert control.stats()["unmatched"] == {"POST /openai/v1/embeddings": 1}
