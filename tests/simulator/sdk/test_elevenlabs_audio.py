"""ElevenLabs' music and sound effects, by the vendor's own SDK."""

import pytest
from elevenlabs.core.api_error import ApiError

from tests.harness.media import parsers as parse

ONCE = {"max_retries": 0}


def compose(client, **changes):
    arguments = {"prompt": "a waltz", "music_length_ms": 4000, "request_options": ONCE} | changes
    return b"".join(client.music.compose(**arguments))


def effect(client, **changes):
    arguments = {"text": "a foghorn", "duration_seconds": 2.0, "request_options": ONCE} | changes
    return b"".join(client.text_to_sound_effects.convert(**arguments))


def test_music_is_as_long_as_asked_and_costs_by_the_minute_begun(elevenlabs_sdk, control):
    music = parse.heard(compose(elevenlabs_sdk()))
    assert (music.seconds, music.rate, music.kbps) == (pytest.approx(4, abs=0.1), 44100, 128)
    (row,) = (row for row in control.stats()["rows"] if row["operation"] == "music")
    assert (row["paid"], row["cost"]) == (1, 7500)


def test_an_effect_is_as_long_as_asked_and_costs_by_the_second(elevenlabs_sdk, control):
    assert parse.heard(effect(elevenlabs_sdk())).seconds == pytest.approx(2, abs=0.1)
    (row,) = (row for row in control.stats()["rows"] if row["operation"] == "sound")
    assert (row["paid"], row["cost"]) == (1, 80)


@pytest.mark.parametrize(
    "refused",
    [
        lambda client: compose(client, music_length_ms=2999),
        lambda client: compose(client, prompt=""),
        lambda client: effect(client, duration_seconds=31.0),
        lambda client: effect(client, text=""),
    ],
)
def test_what_it_does_not_make_is_refused(elevenlabs_sdk, refused):
    with pytest.raises(ApiError) as error:
        refused(elevenlabs_sdk())
    assert error.value.status_code == 400
