"""ElevenLabs' music and sound effects: answered with the sound itself."""

import math
import re

from tools.simulator.media import catalogue
from tools.simulator.wire import Call, Operation, Purchase, Refused, Reply, Trouble, json_reply

_MUSIC = ("music_v1", "music_v2", "music_v2_5")
_EFFECTS = ("eleven_text_to_sound_v2", "eleven_text_to_sound_v3")
_SHORTEST_MS, _LONGEST_MS = 3_000, 600_000
_SHORTEST_EFFECT, _LONGEST_EFFECT = 0.5, 30
# A minute of music costs 0.60 dollars, at 80 dollars per million credits. An effect costs by the second where its
# length is asked for, else a round sum: help centre, "How much does it cost to generate sound effects?".
_CREDITS_PER_MINUTE = 7_500
_CREDITS_PER_SECOND = 40
_CREDITS_PER_EFFECT = 200
_USUAL_EFFECT = 5
_OUTPUT = ("mp3", 44100, 128)


def _refuse(call: Call, code: str, message: str) -> Refused:
    detail = {"type": "validation_error", "code": code, "status": code, "message": message}
    trouble = Trouble(request_id=call.request_id)
    return Refused(json_reply(400, {"detail": {**detail, "request_id": trouble.request_id}}, outcome="invalid_request"))


def _within(call: Call, name: str, value: object, low: float, high: float) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
        return value
    raise _refuse(call, "invalid_parameters", f"{name} must be from {low} to {high}")


def _text(call: Call, name: str) -> str:
    value = call.json.get(name)
    if not isinstance(value, str) or not value:
        raise _refuse(call, "invalid_parameters", f"{name} must be a non-empty string")
    return value


def _model(call: Call, known: tuple[str, ...]) -> None:
    if call.json.get("model_id", known[0]) not in known:
        raise _refuse(call, "model_not_found", f"there are {', '.join(known)}")


def _delivered(prompt: str, seconds: float, credits_used: int) -> Reply:
    body = catalogue.sound(seconds, *_OUTPUT, seed=catalogue.seed_of(prompt))
    purchase = Purchase(prompt, seconds, credits_used)
    headers = {"character-cost": str(credits_used)}
    return Reply(200, body, "audio/mpeg", headers=headers, purchase=purchase, chunked=True)


def _music(call: Call) -> Reply:
    _model(call, _MUSIC)
    prompt = _text(call, "prompt")
    asked = call.json.get("music_length_ms", 60_000)
    seconds = _within(call, "music_length_ms", asked, _SHORTEST_MS, _LONGEST_MS) / 1000
    return _delivered(prompt, seconds, math.ceil(seconds / 60) * _CREDITS_PER_MINUTE)


def _effect(call: Call) -> Reply:
    _model(call, _EFFECTS)
    prompt = _text(call, "text")
    asked = call.json.get("duration_seconds")
    if asked is None:
        return _delivered(prompt, _USUAL_EFFECT, _CREDITS_PER_EFFECT)
    seconds = _within(call, "duration_seconds", asked, _SHORTEST_EFFECT, _LONGEST_EFFECT)
    return _delivered(prompt, seconds, math.ceil(seconds * _CREDITS_PER_SECOND))


OPERATIONS = (
    Operation("music", "elevenlabs", "POST", re.compile(r"v1/music"), _music, limited=True, paid=True),
    Operation("sound", "elevenlabs", "POST", re.compile(r"v1/sound-generation"), _effect, limited=True, paid=True),
)
