"""What people write of voices in JSON: the book's names, a vendor's voices, an operator's own."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from mediarelay.providers.catalogue import models
from mediarelay.providers.listing import NONE_ADDED, AddedServers
from mediarelay.voices.book import EVERY_LANGUAGE, VOICES_FIELD, BookVoice, Gender, VendorVoice, VoiceBook

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Id = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]{0,126}[!-~])?$")]
_Language = Annotated[str, StringConstraints(pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})?)$")]
_Languages = Annotated[tuple[_Language, ...], Field(min_length=1)]


class _Written(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)  # built when the book is first read


class _WrittenName(_Written):
    """A name in the book's own file: its kind, and whose voice it is."""

    gender: Gender
    home: str


class _WrittenVoice(_Written):
    """One entry of a vendor's `voices.json`; see `VendorVoice`."""

    id: _Id
    gender: Gender
    languages: _Languages | None = None
    models: tuple[str, ...] = ()
    retires: date | None = None
    default: bool = False
    plays: tuple[_Name, ...] = ()


class VoicePlace(_Written):
    """Where an operator's voice is to be found at one provider."""

    id: _Id = Field(description="The vendor's own id of the voice; written alone, it may stand for the object.")
    account: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = Field(
        default=None, description="The account that has the voice, as the keys name it: its keys are asked first."
    )
    models: tuple[str, ...] = Field(default=(), description="The only models that have it; all when absent.")
    retires: date | None = Field(default=None, description="The day it stops speaking, UTC.")
    default: bool = Field(default=False, description="Whether it speaks when a request names no voice.")


def _place(written: object) -> object:
    return {"id": written} if isinstance(written, str) else written


class OwnVoice(_Written):
    """A voice that an operator adds."""

    gender: Gender = Field(description="What it sounds like; an equivalent sounds alike.")
    languages: _Languages | None = Field(
        default=None, description="Tags such as en-US; absent when it speaks whatever its model does."
    )
    at: dict[str, Annotated[VoicePlace, BeforeValidator(_place, json_schema_input_type=VoicePlace | str)]] = Field(
        min_length=1, description="The providers that have the voice itself, each with where it is to be found."
    )


# What an operator writes; read entry by entry, so that a bad one harms no other.
OWN_VOICES: Final = TypeAdapter(dict[_Name, OwnVoice])
_NAME: Final = TypeAdapter(_Name)
_NAMES: Final = TypeAdapter(dict[_Name, _WrittenName])
_VOICES: Final = TypeAdapter(dict[str, list[_WrittenVoice]])


@cache
def shipped_book() -> VoiceBook:
    """Return the book as it is shipped: its own names, and the voices of every vendor."""
    here = Path(__file__).parent
    names = _NAMES.validate_json((here / "voices.json").read_bytes())
    files = sorted((here.parent / "providers").glob("*/voices.json"))
    return VoiceBook().with_voices(
        [BookVoice(name, written.gender, homes=frozenset({written.home})) for name, written in names.items()],
        [voice for file in files for voice in parse_voices(file.read_bytes())],
    )


def parse_voices(text: bytes) -> list[VendorVoice]:
    """Return the voices of one vendor's `voices.json`. Raises pydantic's error for any slip."""
    return [
        VendorVoice(provider=provider, **{**dict(written), "languages": written.languages or EVERY_LANGUAGE})
        for provider, entries in _VOICES.validate_json(text).items()
        for written in entries
    ]


def book_with(
    written: object, providers: Collection[str], servers: AddedServers = NONE_ADDED
) -> tuple[VoiceBook, tuple[str, ...]]:
    """Return the book with an operator's voices, and what is wrong with those that were left out.

    Args:
        written: A JSON object of voices by name, as text or decoded; None when the operator adds none.
        providers: Those there are that speak.
        servers: Those that the deployment adds, with their voices.
    """
    served = [VendorVoice(provider=at, **voice) for at, each in servers.voices.items() for voice in each]
    book = shipped_book().with_voices([], served) if served else shipped_book()
    names: list[BookVoice] = []
    voices: list[VendorVoice] = []
    faults: list[str] = []
    for name, entry in _entries(written, faults):
        fault = _fault(name, entry, providers, servers)
        if fault is not None:
            faults.append(f"{VOICES_FIELD}.{name}{fault}")
        else:
            own = OwnVoice.model_validate(entry)
            languages = own.languages or EVERY_LANGUAGE
            names.append(BookVoice(name, own.gender, languages, frozenset(own.at)))
            voices += [
                VendorVoice(provider=at, gender=own.gender, languages=languages, plays=(name,), **dict(place))
                for at, place in own.at.items()
            ]
    return (book.with_voices(names, voices) if names else book), tuple(faults)


def _entries(written: object, faults: list[str]) -> Iterator[tuple[str, Any]]:
    if isinstance(written, str):
        try:
            written = json.loads(written) if written.strip() else None
        except (ValueError, RecursionError):
            written = ()
    if isinstance(written, Mapping):
        yield from written.items()
    elif written is not None:
        faults.append(f"{VOICES_FIELD}: must be a JSON object of voices by name")


def _fault(name: str, entry: object, providers: Collection[str], servers: AddedServers) -> str | None:
    """Return what is wrong with an entry, to follow its name; None when nothing is."""
    if name in shipped_book().names:
        return ": is a name of the book already; choose another"
    try:
        _NAME.validate_python(name)
    except ValidationError:
        return ": a name is 1 to 64 letters, digits, '_' or '-'"
    try:
        own = OwnVoice.model_validate(entry)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        said = [f"{'.'.join(map(str, problem['loc'])) or 'entry'}: {problem['msg']}" for problem in problems]
        return f".{'; '.join(said)}"
    unknown = [at for at in own.at if at not in providers]
    if unknown:
        return f".at.{unknown[0]}: no such provider of speech; there are {', '.join(sorted(providers))}"
    for at, place in own.at.items():
        offered = servers.models.get(at) or models(at)
        missing = [model for model in place.models if model not in offered]
        if missing:
            return f".at.{at}.models: {missing[0]} is not in the catalogue; there are {', '.join(offered)}"
    return None
