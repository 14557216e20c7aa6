from __future__ import annotations

import pytest

from mediarelay.results.media_type import not_speech, spoken_characters

WORDS = "lighthouse " * 600


@pytest.mark.parametrize(
    ("format_", "sound_bytes", "rate"),
    [
        ("wav", 24_000, 48_000),  # half a second
        ("mp3", 10, 0),
        ("mp3", 4_000, 0),
        ("opus", 2_000, 0),
        ("flac", 8_000, 0),
        ("aac", 5_000, 0),
        ("pcm", 48_000, 0),
    ],
)
def test_a_fraction_of_a_second_is_no_speech_of_six_hundred_words(format_: str, sound_bytes: int, rate: int) -> None:
    assert not_speech(format_, sound_bytes, rate, WORDS)


@pytest.mark.parametrize(
    ("format_", "bytes_per_second"),
    [("mp3", 4_000), ("opus", 2_000), ("aac", 3_000), ("flac", 12_000), ("pcm", 32_000), ("wav", 8_000)],
)
def test_fast_speech_at_a_low_bit_rate_passes(format_: str, bytes_per_second: int) -> None:
    seconds = spoken_characters(WORDS) / 60
    rate = bytes_per_second if format_ == "wav" else 0
    assert not_speech(format_, round(seconds * bytes_per_second), rate, WORDS) is None


@pytest.mark.parametrize("text", ["", "!", "hm", "no", "<break time='3s'/>", "[sighs]", "…" * 4000])
def test_next_to_nothing_is_speech_of_a_text_with_next_to_nothing_to_say(text: str) -> None:
    assert not_speech("mp3", 418, 0, text) is None


@pytest.mark.parametrize(("format_", "size"), [("wav", 0), ("mp3", 10), ("opus", 27), ("aac", 7), ("flac", 41)])
def test_a_header_alone_is_no_speech_of_anything(format_: str, size: int) -> None:
    assert not_speech(format_, size, 48_000 if format_ == "wav" else 0, "no")


def test_markup_and_stage_directions_are_not_spoken() -> None:
    assert spoken_characters('<speak>one <phoneme alphabet="ipa" ph="tu:">2</phoneme> [laughs] drei</speak>') == 8
