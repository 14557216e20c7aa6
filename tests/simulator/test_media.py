import hashlib

import pytest

from tests.simulator import media_parsers as parse
from tools.simulator.media import catalogue, tone
from tools.simulator.media.colour import BLACK, colour_of, to_ycbcr

TEXT = "twenty characters ab"
SECONDS = 1.2


@pytest.mark.parametrize(("characters", "seconds"), [(1, 0.18), (20, 1.2), (100, 6.0), (4000, 9.96)])
def test_the_length_of_speech_follows_the_text_up_to_ten_seconds(characters, seconds):
    _, _, samples = parse.wav_parts(catalogue.speech("x" * characters, "wav", 24000))
    assert len(samples) / 2 / 24000 == pytest.approx(seconds)


def test_wav_holds_an_audible_tone():
    rate, bits, samples = parse.wav_parts(catalogue.speech(TEXT, "wav", 24000))
    assert (rate, bits) == (24000, 16)
    assert len(set(samples)) > 50
    assert samples == catalogue.speech(TEXT, "pcm", 24000)


@pytest.mark.parametrize(
    ("rate", "kbps"), [(44100, 128), (44100, 32), (48000, 192), (22050, 32), (24000, 160), (24000, 48)]
)
def test_mp3_is_whole_frames_at_the_asked_bit_rate(rate, kbps):
    seconds, found, average = parse.mp3_seconds(catalogue.speech(TEXT, "mp3", rate, kbps))
    assert seconds == pytest.approx(SECONDS, abs=0.03)
    assert found == rate
    assert average == pytest.approx(kbps, abs=1)


@pytest.mark.parametrize("rate", [24000, 44100, 48000])
def test_aac_is_whole_adts_frames(rate):
    seconds, found = parse.adts_seconds(catalogue.speech(TEXT, "aac", rate))
    assert seconds == pytest.approx(SECONDS, abs=0.05)
    assert found == rate


@pytest.mark.parametrize("characters", [3, 20, 150])
def test_opus_pages_have_right_checksums_headers_and_end(characters):
    pages = list(parse.ogg_pages(catalogue.speech("x" * characters, "opus", 24000)))
    assert pages[0][2][0][:8] == b"OpusHead"
    assert pages[1][2][0][:8] == b"OpusTags"
    assert [flags for flags, _, _ in pages] == [2, *[0] * (len(pages) - 2), 4]
    packets = sum(len(found) for _, _, found in pages[2:])
    pre_skip = int.from_bytes(pages[0][2][0][10:12], "little")
    assert (pages[-1][1] - pre_skip) / 48000 == pytest.approx(characters * 0.06)
    assert 0 <= packets * 960 - pages[-1][1] < 960


def test_flac_frames_carry_the_tone_and_its_md5():
    rate, total, digest, frames = parse.flac_parts(catalogue.speech(TEXT, "flac", 24000))
    expected = catalogue.speech(TEXT, "pcm", 24000)
    big_endian = b"".join(frames)
    swapped = bytes(byte for at in range(0, len(big_endian), 2) for byte in (big_endian[at + 1], big_endian[at]))
    assert (rate, total) == (24000, len(expected) // 2)
    assert swapped == expected
    assert digest == hashlib.md5(expected, usedforsecurity=False).digest()


def test_flac_frame_numbers_above_127_are_coded_in_two_bytes():
    _, total, _, frames = parse.flac_parts(catalogue.speech("x" * 130, "flac", 8000))
    assert len(frames) == 130
    assert total == 130 * 480


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


@pytest.mark.parametrize(("width", "height"), [(64, 48), (17, 9), (1, 1)])
def test_png_has_the_asked_size_and_equal_rows(width, height):
    found = parse.png_pixels(catalogue.image("png", width, height, 5))
    assert found[:2] == (width, height)
    assert len(set(found[2])) == 1
    assert tuple(found[2][0][:3]) == colour_of(5)


@pytest.mark.parametrize(("width", "height"), [(64, 48), (17, 9), (1, 1)])
@pytest.mark.parametrize("seed", [0, 5, 31, catalogue.BLACK_SEED])
def test_jpeg_decodes_to_one_colour_of_the_asked_size(width, height, seed):
    found = parse.jpeg_blocks(catalogue.image("jpeg", width, height, seed))
    assert found[:2] == (width, height)
    assert set(found[2]) == {to_ycbcr(BLACK if seed == catalogue.BLACK_SEED else colour_of(seed))}


@pytest.mark.parametrize(("width", "height"), [(64, 48), (1024, 1536), (1, 1)])
def test_webp_has_the_asked_size_and_colour(width, height):
    red, green, blue = colour_of(9)
    assert parse.webp_parts(catalogue.image("webp", width, height, 9)) == (width, height, (green, red, blue, 255, 0))


def test_bodies_are_kept_between_calls():
    assert catalogue.speech(TEXT, "wav", 16000) is catalogue.speech(TEXT, "wav", 16000)
    assert catalogue.image("png", 16, 16, 3) is catalogue.image("png", 16, 16, 3 + 32)
