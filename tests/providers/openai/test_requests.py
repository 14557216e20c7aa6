"""What is sent to OpenAI, what is refused before it is sent, what comes back and what it costs."""

from __future__ import annotations

import base64

import pytest

from mediarelay.providers.api import InlineMedia, StreamedBody
from mediarelay.providers.openai.pictures import OpenAiImage
from mediarelay.providers.openai.speech import OPENAI_TTS, VOICES
from mediarelay.vocabulary.outcome import Outcome

TTS, IMAGE = OPENAI_TTS, OpenAiImage()
PNG = base64.b64encode(b"a picture").decode()
MINIMAL = {"model": "gpt-4o-mini-tts", "input": "Good morning.", "voice": "alloy", "response_format": "mp3"}


def test_speech_is_posted_below_the_versioned_base(call):
    request = TTS.build_request(call("openai-tts"))
    assert (request.method, request.path, request.read_timeout_seconds) == ("POST", "/audio/speech", 60.0)


@pytest.mark.parametrize(
    ("given", "changes"),
    [
        ({}, {}),
        ({"voice": "nova", "format": "wav"}, {"voice": "nova", "response_format": "wav"}),
        ({"voice": "voice_abc123"}, {"voice": {"id": "voice_abc123"}}),
        ({"speed": 1.5}, {"speed": 1.5}),
        ({"language": "en-US"}, {}),
        ({"instructions": "Whisper."}, {"instructions": "Whisper."}),
        ({"model": "tts-1", "instructions": "Whisper."}, {"model": "tts-1"}),
        ({"model": "tts-1-hd", "instructions": "Whisper."}, {"model": "tts-1-hd"}),
        ({"options": {"voice": "verse"}, "voice": "JBFqnCBsd6RMkjVDRZzb"}, {"voice": "verse"}),
    ],
)
def test_speech_body(call, given, changes):
    asked = call("openai-tts", **given)
    assert TTS.refusal(asked) is None
    assert TTS.build_request(asked).json == {**MINIMAL, **changes}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"text": "x" * 4097}, "input.text: 4097 characters; openai-tts takes at most 4096"),
        ({"voice": "george"}, "voice: george; openai-tts takes one of alloy, ash,"),
        ({"options": {"voice": "Kore"}}, "voice: Kore; openai-tts takes one of"),
    ],
)
def test_speech_refusals(call, given, message):
    assert TTS.refusal(call("openai-tts", **given)).startswith(message)


@pytest.mark.parametrize("voice", VOICES)
def test_every_listed_voice_is_taken(call, voice):
    assert TTS.refusal(call("openai-tts", voice=voice, text="x" * 4096)) is None


@pytest.mark.parametrize(
    ("content_type", "streamed"),
    [
        ("audio/mpeg", True),
        ("audio/x-something-odd", True),
        ("application/octet-stream", True),
        ("", True),
        ("text/html; charset=utf-8", False),
        ("application/json", False),
        ("application/problem+json", False),
        ("text/event-stream", False),
        ("image/png", False),
    ],
)
def test_only_a_document_is_not_speech(content_type, streamed):
    assert TTS.streams(200, {"content-type": content_type}) is streamed
    assert not TTS.streams(429, {"content-type": content_type})


def test_streamed_speech_is_delivered(call, reply):
    answer = reply(200, None, content_type="audio/mpeg", x_request_id="req-1")
    delivery = TTS.parse_response(answer, call("openai-tts", format="opus"))
    assert (delivery.media, delivery.format, delivery.vendor_request_id) == ((StreamedBody(),), "opus", "req-1")


def test_speech_prices(call):
    text = "x" * 3000
    assert TTS.estimate_usd(call("openai-tts", model="tts-1", text=text)) == pytest.approx(0.045)
    assert TTS.estimate_usd(call("openai-tts", model="tts-1-hd", text=text)) == pytest.approx(0.09)
    # 750 text tokens at $0.60, and 200 seconds of 1250/60 audio tokens at $12, per million
    assert TTS.estimate_usd(call("openai-tts", text=text)) == pytest.approx(0.00045 + 0.05)
    assert TTS.estimate_usd(call("openai-tts", text=text, speed=2.0)) == pytest.approx(0.00045 + 0.025)


def test_the_whole_picture_request(call):
    asked = call("openai-image", n=2, size="1536x1024", quality="high", format="webp", options={"moderation": "low"})
    request = IMAGE.build_request(asked)
    assert (request.method, request.path, request.read_timeout_seconds) == ("POST", "/images/generations", 180.0)
    assert request.json == {
        "model": "gpt-image-2",
        "prompt": "A lighthouse.",
        "n": 2,
        "size": "1536x1024",
        "quality": "high",
        "output_format": "webp",
        "moderation": "low",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": "1000x1000"}, "input.size: 1000x1000; openai-image takes auto, or edges that are multiples of 16"),
        ({"size": "3856x2160"}, "input.size: 3856x2160; "),
        ({"size": "3840x2176"}, "input.size: 3840x2176; "),
        ({"size": "768x768"}, "input.size: 768x768; "),
        ({"size": "1600x512"}, "input.size: 1600x512; "),
        (
            {"model": "gpt-image-1.5", "size": "512x512"},
            "input.size: 512x512; openai-image takes one of auto, 1024x1024",
        ),
    ],
)
def test_picture_refusals(call, given, message):
    assert IMAGE.refusal(call("openai-image", **given)).startswith(message)


@pytest.mark.parametrize("size", ["auto", "1024x1536", "3840x2160", "2160x3840", "2880x2880", "1536x512"])
def test_sizes_that_fit(call, size):
    assert IMAGE.refusal(call("openai-image", size=size)) is None


def test_a_call_of_the_other_kind_is_refused(call):
    assert TTS.refusal(call("openai-image")) == "kind: openai-tts makes speech only"
    assert IMAGE.refusal(call("openai-tts")) == "kind: openai-image makes pictures only"


def test_pictures_are_decoded_and_priced_by_usage(call, reply):
    usage = {
        "input_tokens": 300,
        "output_tokens": 1000,
        "input_tokens_details": {"text_tokens": 100, "image_tokens": 200},
    }
    answer = reply(200, {"data": [{"b64_json": PNG}, {"b64_json": PNG}], "usage": usage}, x_request_id="req-2")
    delivery = IMAGE.parse_response(answer, call("openai-image", n=2))
    assert delivery.media == (InlineMedia(b"a picture"), InlineMedia(b"a picture"))
    assert delivery.cost_usd == pytest.approx((100 * 5 + 200 * 8 + 1000 * 30) / 1_000_000)
    assert (delivery.format, delivery.vendor_request_id) == ("png", "req-2")


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 5}, {"input_tokens": -1, "output_tokens": 5}, "many"])
def test_without_sensible_usage_the_price_is_estimated(call, reply, usage):
    asked = call("openai-image", quality="high")
    delivery = IMAGE.parse_response(reply(200, {"data": [{"b64_json": PNG}], "usage": usage}), asked)
    assert delivery.cost_usd == IMAGE.estimate_usd(asked) > 0.1


@pytest.mark.parametrize(
    ("model", "quality", "usd"),
    [
        ("gpt-image-2", "low", 0.0059),
        ("gpt-image-2", "medium", 0.0527),
        ("gpt-image-2", "auto", 0.0527),
        ("gpt-image-2", "high", 0.2107),
        ("gpt-image-2.5-flare", "low", 0.0059),
        ("gpt-image-2.5-sunburst", "medium", 0.0132),
        ("gpt-image-2.5-flare", "high", 0.0527),
    ],
)
def test_a_square_costs_what_is_published_for_its_model_and_quality(call, model, quality, usd):
    asked = call("openai-image", model=model, quality=quality)
    assert IMAGE.estimate_usd(asked) == pytest.approx(usd, abs=0.0001)


@pytest.mark.parametrize(("quality", "usd"), [("xhigh", 0.0937), ("max", 0.2107)])
def test_a_quality_among_the_options_is_what_counts(call, quality, usd):
    asked = call("openai-image", model="gpt-image-2.5-flare", quality="low", options={"quality": quality})
    assert IMAGE.estimate_usd(asked) == pytest.approx(usd, abs=0.0001)


@pytest.mark.parametrize(
    ("size", "usd"),
    [
        ("1024x768", 0.145),
        ("1024x1024", 0.211),
        ("auto", 0.211),
        ("1024x1536", 0.165),
        ("1536x1024", 0.165),
        ("1920x1088", 0.158),
        ("2560x1440", 0.222),
        ("3840x2160", 0.401),
        ("2880x2880", 0.401),
    ],
)
def test_the_cost_of_a_size_is_the_published_one_or_that_of_the_next_published_size(call, size, usd):
    asked = call("openai-image", quality="high", size=size)
    assert IMAGE.estimate_usd(asked) == pytest.approx(usd, abs=0.001)


def test_each_picture_costs_the_same(call):
    one, three = (IMAGE.estimate_usd(call("openai-image", quality="high", n=n)) for n in (1, 3))
    assert three == pytest.approx(3 * one, abs=0.0001)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[" * 100_000,
        [],
        {"data": []},
        {"data": "text"},
        {"data": [None, 3, {}]},
        {"data": [{"b64_json": ""}]},
        {"data": [{"b64_json": "not base64!"}]},
        {"data": [{"b64_json": "é"}]},
        {"data": [{"url": "file:///etc/hosts"}, {"url": "data:image/png;base64,"}]},
    ],
)
def test_a_success_without_a_picture_is_paid_in_vain(call, reply, body):
    failure = IMAGE.parse_response(reply(200, body, content_type="application/json"), call("openai-image"))
    assert (failure.outcome, failure.code) == (Outcome.UNUSABLE_DELIVERY, "unexpected_answer")


def test_the_pictures_that_can_be_read_are_delivered(call, reply):
    answer = reply(200, {"data": [{"b64_json": "!"}, {"b64_json": PNG}]})
    assert IMAGE.parse_response(answer, call("openai-image", n=2)).media == (InlineMedia(b"a picture"),)
