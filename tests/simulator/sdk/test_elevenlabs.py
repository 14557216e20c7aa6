import base64

import pytest
from elevenlabs.core.api_error import ApiError

from tests.harness.media import parsers as parse
from tools.simulator.client import SimulatorError

VOICE = "JBFqnCBsd6RMkjVDRZzb"
ONCE = {"max_retries": 0}


def speak(client, **changes):
    arguments = {"voice_id": VOICE, "text": "hello there", "request_options": ONCE} | changes
    return b"".join(client.text_to_speech.convert(**arguments))


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("mp3_44100_128", lambda body: (parse.heard(body).rate, parse.heard(body).kbps) == (44100, 128)),
        ("mp3_22050_32", lambda body: (parse.heard(body).rate, parse.heard(body).kbps) == (22050, 32)),
        ("pcm_16000", lambda body: len(body) == 11 * 960 * 2),
        ("opus_48000_64", lambda body: body.startswith(b"OggS")),
        ("ulaw_8000", lambda body: len(body) == 11 * 480),
        ("alaw_8000", lambda body: len(body) == 11 * 480),
    ],
)
def test_speech_comes_in_the_asked_format(elevenlabs_sdk, name, check):
    assert check(speak(elevenlabs_sdk(), output_format=name))


def test_streaming_gives_the_same_audio(elevenlabs_sdk):
    client = elevenlabs_sdk()
    streamed = b"".join(client.text_to_speech.stream(VOICE, text="hello there", request_options=ONCE))
    assert streamed == speak(client)


def test_with_times_the_same_audio_comes_with_when_each_character_is_heard(elevenlabs_sdk):
    client = elevenlabs_sdk()
    answer = client.text_to_speech.convert_with_timestamps(VOICE, text="hello there", request_options=ONCE)
    assert base64.b64decode(answer.audio_base_64) == speak(client)
    assert "".join(answer.alignment.characters) == "hello there"
    ends = answer.alignment.character_end_times_seconds
    assert answer.alignment.character_start_times_seconds == [0, *ends[:-1]]
    assert ends[-1] == pytest.approx(0.66)


@pytest.mark.parametrize(("model", "cost"), [("eleven_multilingual_v2", "11"), ("eleven_flash_v2_5", "6")])
def test_headers_tell_cost_and_concurrency(elevenlabs_sdk, model, cost):
    raw = elevenlabs_sdk().text_to_speech.with_raw_response
    with raw.convert(VOICE, text="hello there", model_id=model, request_options=ONCE) as answer:
        headers = answer.headers
        b"".join(answer.data)
    assert headers["character-cost"] == cost
    assert headers["request-id"]
    assert int(headers["current-concurrent-requests"]) <= int(headers["maximum-concurrent-requests"])


def test_models_and_subscription_parse(elevenlabs_sdk):
    client = elevenlabs_sdk()
    speak(client)
    models = {model.model_id: model for model in client.models.list()}
    subscription = client.user.subscription.get()
    assert models["eleven_v3"].maximum_text_length_per_request == 5000
    assert subscription.character_count == 11
    assert subscription.character_limit > 11


def test_an_unknown_key_is_refused_with_the_detail_object(elevenlabs_sdk):
    with pytest.raises(ApiError) as caught:
        speak(elevenlabs_sdk("nobodys-key"))
    detail = caught.value.body["detail"]
    assert caught.value.status_code == 401
    assert set(detail) == {"type", "code", "status", "message", "request_id"}
    assert detail["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"voice_id": "nobody"}, 404, "voice_not_found"),
        ({"model_id": "eleven_ancient"}, 400, "model_not_found"),
        ({"output_format": "mp3_44100_999"}, 400, "invalid_output_format"),
        ({"text": ""}, 400, "empty_text"),
        ({"text": "x" * 5001, "model_id": "eleven_v3"}, 400, "max_character_limit_exceeded"),
        ({"seed": -1}, 400, "invalid_parameters"),
        ({"voice_settings": {"speed": 9}}, 400, "invalid_parameters"),
    ],
)
def test_bad_requests_carry_their_code(elevenlabs_sdk, control, change, status, code):
    with pytest.raises(ApiError) as caught:
        speak(elevenlabs_sdk(), **change)
    detail = caught.value.body["detail"]
    assert (caught.value.status_code, detail.get("code", detail["status"])) == (status, code)
    assert control.paid() == {}


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("rate_limited", 429, "rate_limit_exceeded"),
        ("concurrency_limited", 429, "concurrent_limit_exceeded"),
        ("system_busy", 429, "system_busy"),
        ("permission_denied", 401, "unauthorized"),
        ("unusual_activity", 401, "detected_unusual_activity"),
        ("payment_issue", 401, "payment_issue"),
        ("bad_key_400", 400, "invalid_api_key"),
        ("overloaded", 503, "service_unavailable"),
    ],
)
def test_named_errors_reach_the_sdk_and_never_say_when_to_retry(elevenlabs_sdk, control, name, status, code):
    control.fault(vendor="elevenlabs", error=name, count=1)
    with pytest.raises(ApiError) as caught:
        speak(elevenlabs_sdk())
    assert (caught.value.status_code, caught.value.body["detail"]["code"]) == (status, code)
    assert not {"retry-after", "retry-after-ms", "x-ratelimit-reset"} & set(caught.value.headers)


def test_a_short_text_still_passes_when_a_long_one_exceeds_the_quota(simulator, elevenlabs_sdk):
    account = {"keys": ["sim-elevenlabs-key-1"], "balance": 20}
    simulator.client.configure({"vendors": {"elevenlabs": {"poor": account}}, "latency": {}})
    client = elevenlabs_sdk()
    with pytest.raises(ApiError) as caught:
        speak(client, text="x" * 21)
    detail = caught.value.body["detail"]
    assert (caught.value.status_code, detail["code"]) == (401, "quota_exceeded")
    assert "You have 20 credits remaining, while 21 credits are required" in detail["message"]
    assert speak(client, text="x" * 20)
    with pytest.raises(ApiError):
        speak(client, text="x")


@pytest.mark.parametrize("account", ["main", None])
def test_premade_voices_can_be_gone_for_an_account_or_for_all(elevenlabs_sdk, control, account):
    control.voices(vendor="elevenlabs", account=account, premade=False)
    with pytest.raises(ApiError) as caught:
        speak(elevenlabs_sdk())
    assert (caught.value.status_code, caught.value.body["detail"]["status"]) == (404, "voice_not_found")
    assert speak(elevenlabs_sdk(), voice_id="L" * 20)
    other = elevenlabs_sdk("sim-elevenlabs-key-3")
    if account:
        assert speak(other)
        return
    with pytest.raises(ApiError):
        speak(other)


def test_what_was_said_of_voices_is_taken_back_with_the_faults(elevenlabs_sdk, control):
    control.voices(vendor="elevenlabs", premade=False)
    control.clear()
    assert speak(elevenlabs_sdk())


@pytest.mark.parametrize("rule", [{"vendor": "nobody"}, {"vendor": "elevenlabs", "own": []}])
def test_a_rule_of_voices_that_makes_no_sense_is_refused(control, rule):
    with pytest.raises(SimulatorError):
        control.voices(**rule)
