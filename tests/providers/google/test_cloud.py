"""Cloud Text-to-Speech: languages and voices, what it cannot do, and its errors."""

from __future__ import annotations

import pytest

from mediarelay.providers.google.speech import GoogleTts
from mediarelay.vocabulary.outcome import Outcome

TTS = GoogleTts()


@pytest.mark.parametrize(
    ("fields", "options", "name"),
    [
        ({}, {}, "en-US-Chirp3-HD-Charon"),
        ({"language": "de"}, {}, "de-DE-Chirp3-HD-Charon"),
        ({"language": "en-GB", "voice": "alloy"}, {}, "en-GB-Chirp3-HD-Kore"),
        ({"language": "pt-PT"}, {}, "pt-BR-Chirp3-HD-Charon"),
        ({"language": "zh-Hans"}, {}, "cmn-CN-Chirp3-HD-Charon"),
        ({"language": "no", "voice": "Leda"}, {}, "nb-NO-Chirp3-HD-Leda"),
        ({"voice": "fr-CA-Chirp3-HD-Puck", "language": "en"}, {}, "fr-CA-Chirp3-HD-Puck"),
        ({"voice": "nova"}, {"voice": "ja-JP-Chirp3-HD-Newcomer"}, "ja-JP-Chirp3-HD-Newcomer"),
    ],
)
def test_who_speaks(call, fields, options, name):
    asked = call("google-tts", options=options, **fields)
    assert TTS.refusal(asked) is None
    voice = TTS.build_request(asked).json["voice"]
    assert voice == {"languageCode": name.partition("-Chirp3")[0], "name": name}


@pytest.mark.parametrize(
    ("fields", "options", "named"),
    [
        ({"format": "flac"}, {}, "input.format: flac; google-tts takes one of mp3, wav, opus, pcm"),
        ({"text": "ü" * 2501}, {}, "input.text: 5002 bytes; google-tts takes at most 5000"),
        ({"speed": 2.5}, {}, "input.speed: 2.5; google-tts takes 0.25 to 2"),
        ({"language": "cy"}, {}, "input.language: cy; google-tts model chirp3-hd does not speak it"),
        ({"voice": "Joanna"}, {}, "voice: Joanna; google-tts takes one of Zephyr"),
        ({"voice": "en-US-Chirp3-HD-Joanna"}, {}, "voice: Joanna; google-tts takes one of Zephyr"),
        ({}, {"voice": "en-US-Neural2-F"}, "voice: en-US-Neural2-F; google-tts takes one of"),
    ],
)
def test_what_it_cannot_do_is_refused_before_it_is_sent(call, fields, options, named):
    assert named in TTS.refusal(call("google-tts", options=options, **fields))


@pytest.mark.parametrize(
    ("status", "marker", "message", "outcome"),
    [
        (400, "INVALID_ARGUMENT", "This request contains sentences that are too long.", Outcome.INVALID_REQUEST),
        (404, "NOT_FOUND", "Requested entity was not found.", Outcome.INVALID_REQUEST),
        (401, "UNAUTHENTICATED", "no", Outcome.KEY_REJECTED),
        (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", Outcome.THROTTLED),
        (429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'X' and limit 'X per minute'", Outcome.THROTTLED),
        (
            429,
            "RESOURCE_EXHAUSTED",
            "Quota exceeded for quota metric 'X' and limit 'X per day'",
            Outcome.QUOTA_EXHAUSTED,
        ),
        (500, "INTERNAL", "Internal error encountered.", Outcome.PROVIDER_FAULT),
    ],
)
def test_an_error_is_known_by_googles_own_marker(call, reply, status, marker, message, outcome):
    body = {"error": {"code": status, "status": marker, "message": message}}
    assert TTS.parse_response(reply(status, body), call("google-tts")).outcome is outcome
