"""ElevenLabs' music and sound effects: two paths, two families of models, one price list each."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mediarelay.providers.api import StreamedBody
from mediarelay.providers.catalogue import default_model
from mediarelay.providers.registry import PROVIDERS
from mediarelay.vocabulary.outcome import Outcome
from tests.doubles.clock import EPOCH

AUDIO = PROVIDERS["elevenlabs-audio"]
EFFECT = {"model": "eleven_text_to_sound_v2", "type": "sfx"}


def test_music_is_asked_for_in_milliseconds(call):
    request = AUDIO.build_request(call("elevenlabs-audio", duration=12.5))
    assert (request.path, request.params) == ("/v1/music", {"output_format": "mp3_44100_128"})
    assert request.json == {"model_id": "music_v2", "prompt": "Waves.", "music_length_ms": 12_500}


def test_music_without_a_length_is_a_minute_long(call):
    assert AUDIO.build_request(call("elevenlabs-audio")).json["music_length_ms"] == 60_000


@pytest.mark.parametrize(("fields", "extra"), [({}, {}), ({"duration": 3.0}, {"duration_seconds": 3.0})])
def test_an_effect_is_as_long_as_asked_or_as_the_vendor_finds_fit(call, fields, extra):
    request = AUDIO.build_request(call("elevenlabs-audio", **EFFECT, **fields))
    assert request.path == "/v1/sound-generation"
    assert request.json == {"model_id": "eleven_text_to_sound_v2", "text": "Waves.", **extra}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"duration": 2.0}, "input.duration: 2; elevenlabs-audio model music_v2 takes 3 to 600 seconds"),
        ({**EFFECT, "duration": 31.0}, "input.duration: 31; "),
        ({"type": "sfx"}, "model.elevenlabs-audio: music_v2 makes music, not sfx"),
        ({**EFFECT, "prompt": "x" * 451}, "input.prompt: 451 characters; "),
    ],
)
def test_what_it_does_not_serve_it_refuses(call, fields, words):
    assert AUDIO.refusal(call("elevenlabs-audio", **fields)).startswith(words)


@pytest.mark.parametrize(("serves", "model"), [("music", "music_v2"), ("sfx", "eleven_text_to_sound_v2")])
def test_the_default_model_is_one_for_the_type(serves, model):
    today = datetime.fromtimestamp(EPOCH, UTC).date()
    assert default_model("elevenlabs-audio", today, serves=serves).id == model


@pytest.mark.parametrize(
    ("fields", "usd"),
    [({"duration": 61.0}, 1.2), ({**EFFECT, "duration": 5.0}, 200 * 80e-6), (EFFECT, 200 * 80e-6)],
)
def test_music_costs_by_the_minute_begun_and_effects_by_the_second_or_each(call, fields, usd):
    assert AUDIO.estimate_usd(call("elevenlabs-audio", **fields)) == pytest.approx(usd)


def test_the_sound_is_the_body_and_the_header_is_the_price(call, reply):
    answer = AUDIO.parse_response(
        reply(200, None, content_type="audio/mpeg", character_cost="7500"), call("elevenlabs-audio")
    )
    assert (answer.media, answer.format, answer.cost_usd) == ((StreamedBody(),), "mp3", pytest.approx(0.6))


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [
        (400, "bad_prompt", Outcome.CONTENT_REJECTED),
        (429, "concurrent_limit_exceeded", Outcome.THROTTLED),
        (429, "system_busy", Outcome.OVERLOADED),
        (401, "quota_exceeded", Outcome.QUOTA_EXHAUSTED),
        (401, "missing_permissions", Outcome.PERMISSION_DENIED),
        (404, "model_not_found", Outcome.MODEL_GONE),
    ],
)
def test_errors_are_read_by_their_code(call, reply, status, code, outcome):
    body = {"detail": {"code": code, "message": "x"}}
    assert AUDIO.parse_response(reply(status, body), call("elevenlabs-audio")).outcome is outcome
