"""Tell sound that can't be the speech of a text: a header alone, or a fraction of a second for six hundred words.

The bounds are far from anything heard: speech at four times its pace is about 60 characters a second, and the bytes of
a second are those of the lowest bit rate that is in use for each container. What passes may still be wrong; what fails
can't be right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

FASTEST_CHARACTERS_PER_SECOND: Final = 200
# Short texts may be a sound, a name or nothing that is read aloud.
FREE_CHARACTERS: Final = 40
SLIMMEST_BYTES_PER_SECOND: Final[Mapping[str, int]] = MappingProxyType(
    {"mp3": 1000, "opus": 500, "aac": 1000, "flac": 2000, "pcm": 16_000}
)
# Less than this holds a container's header and no sound.
SMALLEST_BYTES: Final[Mapping[str, int]] = MappingProxyType({"mp3": 24, "opus": 28, "aac": 8, "flac": 42, "pcm": 2})

# Markup and stage directions are not read aloud.
_UNSPOKEN: Final = re.compile(r"<[^<>]*>|\[[^\[\]]*\]")


def spoken_characters(text: str) -> int:
    """Returns how many letters and digits of the text are read aloud."""
    return sum(map(str.isalnum, _UNSPOKEN.sub(" ", text)))


def not_speech(format_: str, sound_bytes: int, bytes_per_second: int, text: str) -> str | None:
    """Returns why so much sound can't be the text, in words for an error; None when it may be.

    Args:
        format_: The container.
        sound_bytes: What it holds of sound: all of the file where its header isn't read.
        bytes_per_second: As its header says; 0 where it isn't read.
        text: What was to be said.
    """
    if sound_bytes < SMALLEST_BYTES.get(format_, 1):
        return f"{format_} of {sound_bytes} bytes holds no sound"
    rate = bytes_per_second or SLIMMEST_BYTES_PER_SECOND.get(format_, SLIMMEST_BYTES_PER_SECOND["pcm"])
    characters, longest = spoken_characters(text), sound_bytes / rate
    if characters <= FREE_CHARACTERS + longest * FASTEST_CHARACTERS_PER_SECOND:
        return None
    return f"{format_} of at most {longest:.2f} seconds can't be speech of {characters} letters"
