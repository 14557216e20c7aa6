"""What the catalogue gives over HTTP. Days are UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pydantic import Field

from mediarelay.providers.catalogue import Model
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.model import Record
from mediarelay.voices.book import BookVoice, VendorVoice


class OfferedModel(Record):
    """One model of one provider."""

    provider: str = Field(description="Who offers it.")
    kind: Kind = Field(description="What it makes.")
    model: str = Field(description="The vendor's name for it.")
    default: bool = Field(description="Whether it serves requests that name none.")
    serves: str | None = Field(description="The one type of input it is for; null when it takes every one.")
    typical_seconds: float = Field(description="How long a call usually takes.")
    prices: dict[str, float] = Field(description="US dollars by unit.")
    limits: dict[str, int] = Field(description="Bounds of the input.")
    retires: date | None = Field(description="The day it stops answering; null when none is announced.")
    replacement: str | None = Field(description="The vendor's successor.")
    source: str = Field(description="The pages its figures are from.")
    checked: date | None = Field(description="The day they were read there last.")


class ModelList(Record):
    """Every model."""

    models: list[OfferedModel] = Field(description="By provider.")


class OfferedVoice(Record):
    """A voice: of the book, or a vendor's own."""

    voice: str = Field(description="What a request calls it.")
    provider: str | None = Field(description="Who speaks with it; null for a name of the book, which all may play.")
    gender: str | None = Field(description="What it sounds like; null when nobody has said.")
    languages: list[str] = Field(description="Tags such as en-US; * for every one of its model.")
    at_home: list[str] = Field(description="Of a name of the book: the providers that have the voice itself.")
    plays: list[str] = Field(description="Of a vendor's own: the names of the book that it speaks for.")
    default: bool = Field(description="Whether it speaks when a request names none.")
    retires: date | None = Field(description="The day it stops speaking; null when none is announced.")


class VoiceList(Record):
    """Every voice that is shipped; those that a deployment adds are not told."""

    voices: list[OfferedVoice] = Field(description="The book's names, then the vendors' own.")


def model_of(kind: Kind, model: Model) -> OfferedModel:
    """Return a model as the API shows it."""
    return OfferedModel(
        provider=model.provider,
        kind=kind,
        model=model.id,
        default=model.default,
        serves=model.serves,
        typical_seconds=model.typical_seconds,
        prices=dict(model.prices),
        limits=dict(model.limits),
        retires=model.retires,
        replacement=model.replacement,
        source=model.source,
        checked=model.checked,
    )


def voices_of(
    names: Iterable[BookVoice], owned: Iterable[VendorVoice], *, language: str | None, provider: str | None
) -> list[OfferedVoice]:
    """Return voices as the API shows them, those of a language and of a provider where they are named."""
    book = [
        OfferedVoice(
            voice=each.name,
            provider=None,
            gender=each.gender,
            languages=list(each.languages),
            at_home=sorted(each.homes),
            plays=[],
            default=False,
            retires=None,
        )
        for each in names
        if provider is None or provider in each.homes
    ]
    theirs = [
        OfferedVoice(
            voice=each.id,
            provider=each.provider,
            gender=each.gender,
            languages=list(each.languages),
            at_home=[],
            plays=list(each.plays),
            default=each.default,
            retires=each.retires,
        )
        for each in owned
        if provider in (None, each.provider) and each.fit(language)
    ]
    return [*book, *theirs]
