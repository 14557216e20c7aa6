"""Stable Audio and Kling on fal's queue, by the vendor's own SDK."""

import pytest
import requests
from fal_client.client import FalClientHTTPError

from tests.harness.media import parsers as parse

SOUND = "fal-ai/stable-audio-25/text-to-audio"
EFFECT = "fal-ai/elevenlabs/sound-effects/v2"
CLIP = "fal-ai/kling-video/v2.6/pro/text-to-video"


def test_a_sound_is_a_wav_of_the_asked_length(fal):
    answer = fal.subscribe(SOUND, arguments={"prompt": "waves", "seconds_total": 3})
    body = requests.get(answer["audio"]["url"], timeout=600).content
    assert body[:4] + body[8:12] == b"RIFFWAVE"
    assert parse.heard(body).seconds == pytest.approx(3, abs=0.06)


def test_the_older_model_puts_its_sound_elsewhere(fal):
    answer = fal.subscribe("fal-ai/stable-audio", arguments={"prompt": "waves", "seconds_total": 3})
    assert answer["audio_file"]["url"].endswith(".wav")


@pytest.mark.parametrize(("arguments", "seconds"), [({"duration_seconds": 2.5}, 2.5), ({}, 5)])
def test_an_effect_is_an_mp3_as_long_as_asked_or_as_the_model_finds_fit(fal, control, arguments, seconds):
    answer = fal.subscribe(EFFECT, arguments={"text": "a foghorn", **arguments})
    heard = parse.heard(requests.get(answer["audio"]["url"], timeout=600).content)
    assert (heard.seconds, heard.rate) == (pytest.approx(seconds, abs=0.1), 44100)
    assert sum(row["cost"] for row in control.stats()["rows"]) == pytest.approx(seconds * 0.002)


def test_a_clip_is_an_mp4(fal, control):
    answer = fal.subscribe(CLIP, arguments={"prompt": "a lighthouse", "duration": "5"})
    fetched = requests.get(answer["video"]["url"], timeout=600)
    assert (fetched.headers["content-type"], fetched.content[4:8]) == ("video/mp4", b"ftyp")
    assert parse.seen(fetched.content).seconds == pytest.approx(5)
    assert control.paid("fal") == {"a lighthouse": 1}


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        (SOUND, {"seconds_total": 3}),
        (SOUND, {"prompt": "x", "seconds_total": 191}),
        ("fal-ai/stable-audio", {"prompt": "x", "seconds_total": 48}),
        (EFFECT, {"prompt": "x"}),
        (EFFECT, {"text": "x", "duration_seconds": 23}),
        (CLIP, {"prompt": "x", "duration": "7"}),
        (CLIP, {"prompt": "x", "duration": 5}),
        (CLIP, {"prompt": "x", "aspect_ratio": "4:3"}),
    ],
)
def test_what_a_model_does_not_take_is_refused(fal, model, arguments):
    with pytest.raises(FalClientHTTPError) as refused:
        fal.submit(model, arguments=arguments)
    assert refused.value.status_code == 422


def test_they_are_not_on_the_synchronous_host(fal):
    with pytest.raises(FalClientHTTPError) as refused:
        fal.run(SOUND, arguments={"prompt": "x"})
    assert refused.value.status_code == 404
