from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.long_speech.joints import FADE_SECONDS, smoothed

LOUD = 20_000


def made(samples: int, sizes: list[int], *, rate: int = 8_000, channels: int = 1) -> array[int]:
    """A constant sound, faded; given in chunks of these sizes, again and again."""
    data = array("h", [LOUD] * samples * channels).tobytes()
    chunks, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)] * 2 * channels
        chunks.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return array("h", b"".join(smoothed(chunks, rate, channels)))


@given(st.integers(1, 500), st.lists(st.integers(1, 300), min_size=1, max_size=4), st.integers(1, 2))
def test_no_sample_is_lost_however_the_sound_comes(samples: int, sizes: list[int], channels: int) -> None:
    heard = made(samples, sizes, channels=channels)
    assert len(heard) == samples * channels
    assert heard == made(samples, [samples], channels=channels)


@pytest.mark.parametrize("rate", [8_000, 24_000, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_both_edges_are_silent_and_what_is_between_is_as_it_was(rate: int, channels: int) -> None:
    heard = made(rate, [1000], rate=rate, channels=channels)
    edge = round(rate * FADE_SECONDS) * channels
    silent = 32767 * 10 ** (-60 / 20)
    assert max(abs(heard[0]), abs(heard[-1])) < silent
    assert set(heard[edge:-edge]) == {LOUD}
    assert list(heard[:edge:channels]) == sorted(heard[:edge:channels])
    assert list(heard[::-1]) == pytest.approx(list(heard), abs=1)


def test_nothing_is_nothing() -> None:
    assert list(smoothed([], 8_000, 1)) == []
