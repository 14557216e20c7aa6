from __future__ import annotations

import hashlib

import pytest

from mediarelay.results.result_store import NotWhatWasAsked, spooled
from tests.doubles.scripted_http import MEDIA

AS_WAV = MEDIA["wav"]


@pytest.mark.parametrize(
    ("expected", "found"), [("mp3", "wav"), ("wav", "mp3"), ("pcm", "wav"), ("png", "jpeg"), ("jpeg", "png")]
)
def test_media_that_serves_as_well_passes_as_what_it_is_with_a_remark(expected: str, found: str) -> None:
    with spooled([MEDIA[found]], expected) as media:
        assert (media.format, media.remark) == (found, f"asked for {expected}, got {found}")
        assert hashlib.sha256(media.body.read()).hexdigest() == media.sha256


@pytest.mark.parametrize(("expected", "found"), [("mp3", "png"), ("png", "mp3"), ("jpeg", "wav"), ("pcm", "png")])
def test_media_that_serves_another_purpose_does_not(expected: str, found: str) -> None:
    reason = f"asked for {expected}, got {found}"
    with pytest.raises(NotWhatWasAsked, match=reason) as caught, spooled([MEDIA[found]], expected):
        pass
    assert not caught.value.page


def test_a_text_in_its_place_is_told_from_other_media() -> None:
    with pytest.raises(NotWhatWasAsked) as caught, spooled([b"<html>busy</html>"], "png"):
        pass
    assert caught.value.page


def test_a_wav_without_samples_is_refused_whatever_was_to_be_said() -> None:
    with pytest.raises(NotWhatWasAsked, match="holds no sound"), spooled([AS_WAV[:44]], "wav"):
        pass


def test_sound_that_cannot_be_the_text_is_refused() -> None:
    with pytest.raises(NotWhatWasAsked, match="can't be speech"), spooled([MEDIA["mp3"]], "mp3", text="word " * 600):
        pass
