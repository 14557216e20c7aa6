"""What we make, in the ears of others: libsndfile, and a build of FFmpeg that is not ours."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from mediarelay.audio.transcode import transcode
from mediarelay.providers.api import SpeechProvider
from mediarelay.providers.registry import by_kind
from mediarelay.request.model import TtsInput
from mediarelay.routing.order import SOURCES
from mediarelay.vocabulary.kinds import Kind
from tests.builders.listening import RATE, heard
from tools.simulator.media.catalogue import speech

TEXT = "The tram is late again, and nobody on the platform seems to mind, since it rains and the kiosk has coffee. " * 2


def test_every_provider_of_speech_says_which_formats_it_makes() -> None:
    for provider in by_kind(Kind.TTS):
        assert isinstance(provider, SpeechProvider)
        assert set(provider.formats) <= set(SOURCES)


def test_every_format_that_can_be_asked_for_can_be_made() -> None:
    formats = TtsInput.model_json_schema()["properties"]["format"]["enum"]
    assert set(formats) == set(SOURCES)


# Each may be what a vendor is asked for, and each what is made of it, be it only at another rate.
@pytest.mark.parametrize("wanted", SOURCES)
@pytest.mark.parametrize("source", SOURCES)
def test_what_is_made_of_a_vendors_file_plays_as_long(source: str, wanted: str) -> None:
    rate = 48_000 if source == "opus" else RATE
    own, made = speech(TEXT, source, rate), io.BytesIO()
    transcode(io.BytesIO(own), source, made, wanted, sample_rate=RATE)
    seconds, found = heard(made.getvalue(), wanted)
    assert seconds == pytest.approx(heard(own, source)[0], rel=0.02)
    assert found == RATE


@pytest.mark.parametrize("wanted", ["mp3", "opus", "flac", "wav"])
def test_what_is_heard_is_what_was_said(wanted: str) -> None:
    own, made = speech(TEXT, "wav", RATE), io.BytesIO()
    transcode(io.BytesIO(own), "wav", made, wanted, sample_rate=48_000)
    said, _ = soundfile.read(io.BytesIO(own), dtype="float64")
    played, rate = soundfile.read(io.BytesIO(made.getvalue()), dtype="float64")
    assert rate == 48_000
    both = np.vstack([said[: len(played) // 2], played[::2][: len(said)]])
    assert np.corrcoef(both)[0, 1] > 0.95
