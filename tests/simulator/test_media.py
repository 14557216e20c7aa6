import math

import pytest

from tests.harness.media import parsers as parse
from tools.simulator.media import catalogue, tone
from tools.simulator.media.colour import BLACK, colour_of
from tools.simulator.media.mp4 import mp4

TEXT = "twenty characters ab"
SECONDS = 1.2
# Texts that no two pitches share, and as many colours.
PITCHES = 8
COLOURS = 32


@pytest.mark.parametrize(("characters", "seconds"), [(1, 0.18), (20, 1.2), (100, 6.0), (4000, 38.7)])
@pytest.mark.parametrize(
    ("codec", "longer"), [("wav", 0), ("flac", 0), ("opus", 0), ("mp3", 0.024), ("aac", 1024 / 24000)]
)
def test_the_length_of_speech_follows_the_text_and_less_so_beyond_ten_seconds(codec, longer, characters, seconds):
    if codec in {"opus", "flac"}:
        seconds = min(seconds, 9.96)  # as long as the golden bytes are
    found = parse.heard(catalogue.speech("x" * characters, codec, 24000))
    # An Opus decoder drops a few milliseconds at the start; other codecs fill their last frame.
    assert seconds - 0.007 <= found.seconds < seconds + longer + 0.001
    assert found.rate == (48000 if codec == "opus" else 24000)


def test_wav_holds_an_audible_tone():
    found = parse.heard(catalogue.speech(TEXT, "wav", 24000))
    assert len(set(found.samples)) > 50
    assert found.seconds == pytest.approx(SECONDS)
    assert b"".join(sample.to_bytes(2, "little", signed=True) for sample in found.samples) == catalogue.speech(
        TEXT, "pcm", 24000
    )


@pytest.mark.parametrize(
    ("rate", "kbps"),
    [
        (22050, 32),
        (24000, 48),
        (24000, 128),
        (32000, 128),
        (44100, 32),
        (44100, 64),
        (44100, 96),
        (44100, 128),
        (44100, 192),
    ],
)
def test_mp3_is_a_steady_tone_at_the_asked_bit_rate(rate, kbps):
    found = parse.heard(catalogue.speech(TEXT, "mp3", rate, kbps))
    assert found.codec.startswith("mp3")
    assert found.seconds == pytest.approx(SECONDS, abs=0.03)
    assert (found.rate, found.kbps) == (rate, pytest.approx(kbps, abs=1))
    assert is_steady(found.samples)


def test_aac_is_a_steady_tone():
    found = parse.heard(catalogue.speech(TEXT, "aac", 24000))
    assert found.codec == "aac"
    assert is_steady(found.samples)


def is_steady(samples):
    """Each tenth of the middle is as loud as the others: no frame breaks off where the next begins."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    part = len(middle) // 10
    loud = [math.hypot(*middle[at : at + part]) / math.sqrt(part) for at in range(0, part * 10, part)]
    return min(loud) > 1000 and max(loud) < 1.1 * min(loud)


@pytest.mark.parametrize(("seconds", "codec"), [(600.0, "mp3"), (0.5, "mp3"), (30.0, "wav")])
def test_a_sound_is_as_long_as_asked(seconds, codec):
    found = parse.heard(catalogue.sound(seconds, codec, 44100))
    assert found.seconds == pytest.approx(seconds, abs=0.06)


@pytest.mark.parametrize("codec", ["wav", "pcm", "ulaw", "alaw", "flac"])
def test_pitches_make_different_sounds(codec):
    assert len({catalogue.sound(0.6, codec, 24000, seed=seed) for seed in range(PITCHES)}) == PITCHES


def _mulaw_decoded(byte):
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + 132 << (byte >> 4 & 7)) - 132
    return -magnitude if byte & 0x80 else magnitude


def _alaw_decoded(byte):
    byte ^= 0x55
    segment, mantissa = byte >> 4 & 7, byte & 0x0F
    magnitude = (mantissa << 4) + 8 if segment == 0 else (mantissa << 4) + 264 << (segment - 1)
    return magnitude if byte & 0x80 else -magnitude


@pytest.mark.parametrize(("codec", "decode"), [("ulaw", _mulaw_decoded), ("alaw", _alaw_decoded)])
def test_telephone_codecs_decode_to_the_tone(codec, decode):
    coded = catalogue.speech(TEXT, codec, 8000)
    tick = tone.tick_samples(8000, catalogue.seed_of(TEXT) % tone.PITCHES)
    assert len(coded) == 20 * len(tick)
    for sample, byte in zip(tick, coded, strict=False):
        assert decode(byte) == pytest.approx(sample, abs=max(20, abs(sample) / 16))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
@pytest.mark.parametrize(("width", "height"), [(64, 48), (17, 9), (1024, 1536), (1, 1)])
def test_a_picture_has_the_asked_size(kind, width, height):
    assert parse.picture(catalogue.image(kind, width, height, 5), kind).size == (width, height)


@pytest.mark.parametrize(("kind", "off"), [("png", 0), ("webp", 0), ("jpeg", 2)])
@pytest.mark.parametrize("seed", [0, 5, 31, catalogue.BLACK_SEED])
def test_a_picture_is_of_one_colour(kind, off, seed):
    pixels = parse.picture(catalogue.image(kind, 17, 9, seed), kind).get_flattened_data()
    colour = BLACK if seed == catalogue.BLACK_SEED else colour_of(seed)
    assert all(abs(found - wanted) <= off for pixel in pixels for found, wanted in zip(pixel, colour, strict=True))


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_seeds_make_different_pictures(kind):
    assert len({catalogue.image(kind, 64, 64, seed) for seed in range(COLOURS)}) == COLOURS


def test_bodies_are_kept_between_calls():
    assert catalogue.speech(TEXT, "wav", 16000) is catalogue.speech(TEXT, "wav", 16000)
    assert catalogue.image("png", 16, 16, 3) is catalogue.image("png", 16, 16, 3 + 32)


@pytest.mark.parametrize("tenths", [1, 20, 50, 153, 9999])
def test_a_clip_is_as_long_as_asked_and_plays_to_its_end(tenths):
    found = parse.seen(mp4(tenths, 3))
    assert found.seconds == pytest.approx(tenths / 10)
    assert found.size == (320, 192)
    assert found.pictures > 1
    for shown in (found.first, found.last):
        assert shown == pytest.approx(colour_of(3), abs=4)


def test_colours_make_different_clips():
    assert len({mp4(50, seed) for seed in range(COLOURS)}) == COLOURS
