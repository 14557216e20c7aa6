from __future__ import annotations

import pytest

from mediarelay.audio.formats import rate_for, source_format


@pytest.mark.parametrize(
    ("wanted", "made", "asked"),
    [
        ("mp3", ("mp3", "wav"), "mp3"),
        ("flac", ("mp3", "wav", "pcm"), "wav"),
        ("flac", ("mp3", "pcm"), "pcm"),
        ("opus", ("mp3", "flac"), "flac"),
        ("wav", ("opus", "mp3"), "mp3"),
        ("pcm", ("opus",), "opus"),
        ("aac", (), "aac"),
    ],
)
def test_a_vendor_is_asked_for_the_format_or_for_its_best(wanted: str, made: tuple[str, ...], asked: str) -> None:
    assert source_format(wanted, made) == asked


def test_what_is_made_again_anyway_is_made_of_what_lost_nothing() -> None:
    assert source_format("mp3", ("mp3", "wav"), remade=True) == "wav"
    assert source_format("mp3", (), remade=True) == "wav"
    assert source_format("mp3", ("mp3", "opus"), remade=True) == "mp3"


@pytest.mark.parametrize(
    ("format_", "rate", "written"),
    [("opus", 44_100, 48_000), ("opus", 24_000, 24_000), ("mp3", 96_000, 48_000), ("flac", 96_000, 96_000)],
)
def test_a_rate_that_a_format_lacks_is_raised_to_the_next(format_: str, rate: int, written: int) -> None:
    assert rate_for(format_, rate) == written
