"""What OpenAI charges, in USD: by characters, by tokens estimated, or by tokens reported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from mediarelay.providers.catalogue import Model
from mediarelay.providers.json_reading import count, mapping, text

if TYPE_CHECKING:
    from mediarelay.request.model import ImageInput, TtsInput

_MILLION: Final = 1_000_000
_CHARACTERS_PER_TOKEN: Final = 4  # the usual rule of thumb for English
_CHARACTERS_PER_SECOND: Final = 15  # English read aloud: about 150 words a minute
_AUDIO_TOKENS_PER_SECOND: Final = 1250 / 60  # the list price of $12 per million comes to about $0.015 a minute

# Output tokens of one 1024x1024 picture as published for the first GPT image model; other sizes go by area. The
# qualities above `high` have no published figure and are counted as `high`; `auto` is counted as `medium`.
_TOKENS_BY_QUALITY: Final[Mapping[str, int]] = {"low": 272, "medium": 1056, "auto": 1056}
_TOKENS_HIGH: Final = 4160
_SQUARE_PIXELS: Final = 1024 * 1024
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")


def speech_usd(asked: TtsInput, model: Model) -> float:
    """The price of speech, from the request alone: the answer carries no usage.

    Models priced by the character are exact. Models priced by tokens are estimated: text tokens from the characters,
    audio tokens from how long the text takes to read aloud at the speed asked for.
    """
    characters = len(asked.text)
    seconds = characters / _CHARACTERS_PER_SECOND / asked.speed
    return (
        characters * _rate(model, "per_million_characters")
        + characters / _CHARACTERS_PER_TOKEN * _rate(model, "per_million_text_tokens")
        + seconds * _AUDIO_TOKENS_PER_SECOND * _rate(model, "per_million_audio_tokens")
    )


def picture_usd(asked: ImageInput, body: Mapping[str, Any], model: Model) -> float:
    """The price of pictures before they are drawn, estimated from the size and quality in the request body."""
    quality = text(body.get("quality")) or asked.quality
    tokens = _TOKENS_BY_QUALITY.get(quality, _TOKENS_HIGH) * _pixels(body.get("size")) / _SQUARE_PIXELS
    return tokens * asked.n * _rate(model, "per_million_image_tokens") + (
        len(asked.prompt) / _CHARACTERS_PER_TOKEN * _rate(model, "per_million_text_tokens")
    )


def used_usd(usage: Mapping[str, Any], model: Model) -> float | None:
    """The price from the answer's own `usage`; None when that is missing or makes no sense."""
    spent_in, spent_out = count(usage.get("input_tokens")), count(usage.get("output_tokens"))
    if spent_in is None or spent_out is None:
        return None
    of_pictures = count(mapping(usage.get("input_tokens_details")).get("image_tokens")) or 0.0
    return (
        max(spent_in - of_pictures, 0.0) * _rate(model, "per_million_text_tokens")
        + of_pictures * _rate(model, "per_million_image_input_tokens")
        + spent_out * _rate(model, "per_million_image_tokens")
    )


def _rate(model: Model, unit: str) -> float:
    return model.prices.get(unit, 0.0) / _MILLION


def _pixels(size: object) -> int:
    """Pixels of WIDTHxHEIGHT; those of a square for `auto`."""
    found = _SIZE.fullmatch(text(size))
    return int(found[1]) * int(found[2]) if found else _SQUARE_PIXELS
