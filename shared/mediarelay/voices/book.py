"""Which voice of a provider speaks: the one rule of the voice book."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from mediarelay.providers.api import Voice
from mediarelay.vocabulary.frozen import frozen

Gender = Literal["female", "male"]

# Beside the keys, what an operator adds to the book.
VOICES_FIELD: Final = "VOICES"
# The languages of a voice that speaks whatever its model does.
EVERY_LANGUAGE: Final = ("*",)
# A voice whose provider has one for each language speaks this one when the request names none.
USUAL_LANGUAGE: Final = "en"

_AN_ID: Final = re.compile(r"[!-~][ -~]{0,126}[!-~]|[!-~]")


@frozen
class VendorVoice:
    """A vendor's own voice.

    Attributes:
        id: The vendor's name for it.
        provider: Which provider speaks with it.
        gender: What it sounds like; None when nobody has said, and then it plays no voice of the book.
        languages: Tags such as `en-US`; `*` when it speaks every language of its model.
        models: The only models that have it; empty means all of the provider's.
        retires: The day it stops speaking, UTC; None when none is announced.
        account: The one account that has it; None when every account does.
        default: Whether it speaks when the request names none.
        plays: The names of the book that it speaks for.
    """

    id: str
    provider: str
    gender: Gender | None
    languages: tuple[str, ...] = EVERY_LANGUAGE
    models: tuple[str, ...] = ()
    retires: date | None = None
    account: str | None = None
    default: bool = False
    plays: tuple[str, ...] = ()

    def speaks(self, model: str, today: date) -> bool:
        """Tell whether the model has it, and it has not ended by *today*."""
        return (not self.models or model in self.models) and (self.retires is None or today < self.retires)

    def fit(self, language: str | None) -> int:
        """Return how well it fits a language: 0 when it does not speak it, more the closer it is."""
        if language is None:
            return 1
        base = language.partition("-")[0]
        if language in self.languages:
            return 3
        if any(tag.partition("-")[0] == base for tag in self.languages):
            return 2
        return int(self.languages == EVERY_LANGUAGE)


@frozen
class BookVoice:
    """A voice by a name of ours.

    Attributes:
        name: What a request calls it.
        gender: What it sounds like.
        languages: As of `VendorVoice`.
        homes: The providers that have the voice itself; elsewhere an equivalent speaks.
    """

    name: str
    gender: Gender
    languages: tuple[str, ...] = EVERY_LANGUAGE
    homes: frozenset[str] = frozenset()


class WantedVoice(NamedTuple):
    """What a request says of its voice.

    Attributes:
        voice: A name of the book or a vendor's own id; None leaves the choice to the book.
        exact: Whether a named voice must speak itself.
        language: What is spoken; None when the request does not say.
        own: `options.<provider>.voice`, the vendor's id for this provider alone; None when there is none.
    """

    voice: str | None = None
    exact: bool = False
    language: str | None = None
    own: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class VoiceBook:
    """Every voice that is known by name. Of a provider's voices the first that fits speaks."""

    names: Mapping[str, BookVoice] = field(default_factory=dict)
    voices: Mapping[str, tuple[VendorVoice, ...]] = field(default_factory=dict)

    def with_voices(self, names: Iterable[BookVoice], voices: Iterable[VendorVoice]) -> VoiceBook:
        """Return the book with these as well; they come before those it has."""
        first: dict[str, tuple[VendorVoice, ...]] = {}
        for voice in voices:
            first[voice.provider] = (*first.get(voice.provider, ()), voice)
        merged = {provider: (*found, *self.voices.get(provider, ())) for provider, found in first.items()}
        return VoiceBook({**self.names, **{each.name: each for each in names}}, {**self.voices, **merged})

    @lru_cache(maxsize=1024)  # noqa: B019 # a book lives as long as its worker, or until its operator writes another
    def choose(self, provider: str, wanted: WantedVoice, model: str, today: date) -> Voice | str:
        """Choose the voice with which a provider speaks.

        Args:
            provider: Who is to be asked.
            wanted: What is asked for.
            model: The model that speaks.
            today: The day, UTC. No voice is chosen that has ended, unless the request has its id.

        Returns:
            The voice; or why the provider has none that will do.
        """
        if wanted.own is not None:
            if _AN_ID.fullmatch(wanted.own):
                return self._exactly(provider, wanted.own, model)
            return f"options.voice: {wanted.own}; {provider} takes a voice's id, 1 to 128 printable characters"
        live = [voice for voice in self.voices.get(provider, ()) if voice.speaks(model, today)]
        if wanted.voice is None:
            return _default(provider, live, wanted.language)
        named = self.names.get(wanted.voice)
        return _playing(provider, live, named, wanted) if named else self._exactly(provider, wanted.voice, model)

    def _exactly(self, provider: str, voice_id: str, model: str) -> Voice | str:
        """A vendor's own id; whether it is one is for the provider to say, where the book does not know."""
        known = [voice for voice in self.voices.get(provider, ()) if voice.id == voice_id]
        if not known:
            return Voice(voice_id)
        found = next((voice for voice in known if not voice.models or model in voice.models), None)
        if found is None:
            having = ", ".join(name for voice in known for name in voice.models)
            return f"voice: {voice_id}; {provider} has it for {having} only, not for {model}"
        return _speaker(found)


def _speaker(voice: VendorVoice, *, substituted: bool = False) -> Voice:
    return Voice(voice.id, voice.account, in_book=True, substituted=substituted, retires=voice.retires)


def _default(provider: str, live: Iterable[VendorVoice], language: str | None) -> Voice | str:
    fitting = [voice for voice in live if voice.fit(language)]
    if not fitting:
        tongue = f" for {language}" if language else ""
        return f"voice: {provider} has no default voice{tongue} today; name one that it has"
    usual = language or USUAL_LANGUAGE
    return _speaker(min(fitting, key=lambda voice: (-voice.fit(language), not voice.default, not voice.fit(usual))))


def _playing(provider: str, live: Iterable[VendorVoice], named: BookVoice, wanted: WantedVoice) -> Voice | str:
    """Choose who plays a voice of the book: itself where it is at home, else one of the same kind."""
    if provider in named.homes:
        itself = next((voice for voice in live if named.name in voice.plays), None)
        if itself is not None and (wanted.exact or itself.fit(wanted.language)):
            return _speaker(itself)
    if wanted.exact:
        return f"voice: {named.name}; {provider} does not have the voice itself, and voice_policy is exact"
    spoken = wanted.language or (USUAL_LANGUAGE if named.languages == EVERY_LANGUAGE else named.languages[0])
    alike = [voice for voice in live if voice.gender == named.gender and voice.fit(spoken)]
    if not alike:
        return f"voice: {named.name}; {provider} has no {named.gender} voice for {spoken} today"
    best = min(alike, key=lambda voice: (named.name not in voice.plays, -voice.fit(spoken), not voice.default))
    return _speaker(best, substituted=True)
