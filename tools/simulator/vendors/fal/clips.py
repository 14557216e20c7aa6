"""Stable Audio, ElevenLabs' sound effects and Kling on fal's queue: input checks, output, price."""

import secrets
from functools import partial
from typing import Any

from tools.simulator.media import catalogue, clips
from tools.simulator.wire import Call, Purchase

from .errors import refusal
from .queue import Prepared

# Model id to US dollars: per result for sounds, per second for clips, silent and with sound.
_SOUNDS = {"fal-ai/stable-audio-25/text-to-audio": 0.2, "fal-ai/stable-audio": 0.2}
_CLIPS = {
    "fal-ai/kling-video/v2.6/pro/text-to-video": (0.07, 0.14),
    "fal-ai/kling-video/v3/pro/text-to-video": (0.224, 0.336),
}
_EFFECTS = "fal-ai/elevenlabs/sound-effects/v2"
_DOLLARS_PER_EFFECT_SECOND = 0.002
_SHORTEST_EFFECT, _LONGEST_EFFECT, _USUAL_EFFECT = 0.5, 22, 5
MODELS = (*_SOUNDS, *_CLIPS, _EFFECTS)
_LONGEST_SOUND = {"fal-ai/stable-audio-25/text-to-audio": 190, "fal-ai/stable-audio": 47}
_RATIOS = ("16:9", "9:16", "1:1")


def prepare(call: Call) -> Prepared:
    """Check the input of the model in the path. Raises Refused, or BadBody."""
    if call.path["model"] == _EFFECTS:
        return _effect(call)
    if not isinstance(call.json.get("prompt"), str):
        raise refusal("prompt", "missing", "Field required")
    return _sound(call) if call.path["model"] in _SOUNDS else _clip(call)


def _sound(call: Call) -> Prepared:
    model, body = call.path["model"], call.json
    seconds, longest = body.get("seconds_total", 30), _LONGEST_SOUND[model]
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 1 <= seconds <= longest:
        raise refusal("seconds_total", "less_than_equal", f"Input should be from 1 to {longest}")
    field = "audio" if model.endswith("text-to-audio") else "audio_file"
    purchase = Purchase(body["prompt"], seconds, _SOUNDS[model])
    return Prepared(purchase, partial(_output, call, field, seconds, "wav"), "audio_run")


def _effect(call: Call) -> Prepared:
    text, asked = call.json.get("text"), call.json.get("duration_seconds")
    if not isinstance(text, str):
        raise refusal("text", "missing", "Field required")
    seconds = _USUAL_EFFECT if asked is None else asked
    if not isinstance(seconds, int | float) or not _SHORTEST_EFFECT <= seconds <= _LONGEST_EFFECT:
        allowed = f"Input should be from {_SHORTEST_EFFECT} to {_LONGEST_EFFECT}"
        raise refusal("duration_seconds", "less_than_equal", allowed)
    purchase = Purchase(text, seconds, seconds * _DOLLARS_PER_EFFECT_SECOND)
    return Prepared(purchase, partial(_output, call, "audio", seconds, "mp3"), "audio_run")


def _clip(call: Call) -> Prepared:
    model, body = call.path["model"], call.json
    allowed = ("5", "10") if "/v2.6/" in model else tuple(map(str, range(3, 16)))
    if body.get("duration", "5") not in allowed:
        raise refusal("duration", "literal_error", f"Input should be one of {', '.join(allowed)}")
    if body.get("aspect_ratio", "16:9") not in _RATIOS:
        raise refusal("aspect_ratio", "literal_error", f"Input should be one of {', '.join(_RATIOS)}")
    seconds = int(body.get("duration", "5"))
    silent, with_sound = _CLIPS[model]
    purchase = Purchase(body["prompt"], seconds, seconds * (with_sound if body.get("generate_audio", True) else silent))
    return Prepared(purchase, partial(_output, call, "video", seconds, "mp4"), "video_run")


def _output(call: Call, field: str, seconds: float, suffix: str) -> dict[str, Any]:
    seed = catalogue.seed_of(call.json.get("prompt") or call.json["text"])
    rate = {"rate": 44100} if suffix == "mp3" else {}
    name = clips.file_name(secrets.token_hex(8), seconds, seed, suffix, **rate)
    kind = {"mp4": "video/mp4", "mp3": "audio/mpeg"}.get(suffix, "application/octet-stream")
    url = f"{call.origin}/falmedia/{name}"
    return {field: {"url": url, "content_type": kind, "file_name": name.rpartition("/")[2]}}
