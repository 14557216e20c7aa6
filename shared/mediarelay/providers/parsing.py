"""What people write in JSON: a vendor's `models.json`, and addresses that replace the vendors' own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, StringConstraints, TypeAdapter
from pydantic import ValidationError as _Invalid

from mediarelay.providers.catalogue import Model
from mediarelay.vocabulary.errors import MediaRelayError

BASE_URLS_VARIABLE: Final = "PROVIDER_BASE_URLS"


class _WrittenModel(BaseModel):
    """One entry of a `models.json`; see `Model`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    source: str = Field(min_length=1, pattern=r"^[^/\\\s].*$")
    checked: date
    typical_seconds: PositiveFloat
    default: bool = False
    serves: str | None = None
    retires: date | None = None
    replacement: str | None = None
    limits: dict[str, int] = {}
    tokens: dict[str, int] = {}
    prices: dict[str, NonNegativeFloat] = {}
    most_usd: PositiveFloat | None = None
    # Read by `options/parsing.py` when a request has some: most have none, and pay for neither list nor schema.
    options: dict[str, Any] | str = {}


_MODELS: Final = TypeAdapter(dict[str, list[_WrittenModel]])
_BASE_URLS: Final = TypeAdapter(dict[str, Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")]])


class InvalidBaseUrls(MediaRelayError):
    """The addresses that should replace the vendors' own cannot be used."""


def parse_models(text: bytes) -> dict[str, dict[str, Model]]:
    """Returns the models of one `models.json`, by provider and id. Raises pydantic's error for any slip."""
    return {
        provider: {written.id: Model(provider=provider, **dict(written)) for written in entries}
        for provider, entries in _MODELS.validate_json(text).items()
    }


def parse_base_urls(text: str, known: Collection[str]) -> Mapping[str, str]:
    """Returns the addresses in `{"openai": "https://…"}` by name, an empty text meaning none.

    Args:
        text: The JSON.
        known: The names there are.

    Raises:
        InvalidBaseUrls: It is something else; the message says what is allowed.
    """
    if not text.strip():
        return {}
    allowed = f'must be JSON such as {{"openai": "https://…"}}, http(s) addresses by name; names are {", ".join(known)}'
    try:
        found = _BASE_URLS.validate_json(text)
    except _Invalid:
        raise InvalidBaseUrls(f"{BASE_URLS_VARIABLE} {allowed}") from None
    unknown = sorted(found.keys() - set(known))
    if unknown:
        raise InvalidBaseUrls(f"{BASE_URLS_VARIABLE} {allowed}, not {', '.join(unknown)}")
    return found
