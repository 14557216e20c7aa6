"""Which vendors can serve what on which day: models and voices end, and a capability needs two vendors to survive one.

A *want* is the default request of a kind in one of its formats, or of one of its types. It is held against each
provider as a request is: the model it would use on the day, the voice, and the provider's own refusal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Final, get_args

from mediarelay.providers.api import Capability
from mediarelay.providers.catalogue import Model, default_model, default_of, models
from mediarelay.providers.listing import NONE_ADDED, AddedServers
from mediarelay.request.model import AudioInput, ImageInput, MediaInput, TtsInput, VideoInput
from mediarelay.routing.order import call_of
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import Kind
from mediarelay.voices.book import VoiceBook, WantedVoice

FEWEST_VENDORS: Final = 2
DAYS_AHEAD: Final = 90


@frozen
class Supply:
    """What providers have to serve with, and until when.

    Attributes:
        book: The voices.
        servers: Those that the deployment adds, with their models.
    """

    book: VoiceBook
    servers: AddedServers = NONE_ADDED

    def models(self, provider: str) -> Collection[Model]:
        """Return the provider's models."""
        return self.servers.models.get(provider, models(provider)).values()

    def default(self, provider: str, day: date, serves: str | None) -> Model:
        """Return the model that the provider would use on the day."""
        if provider in self.servers.models:
            return default_of(self.models(provider), day)
        return default_model(provider, day, serves=serves)


@frozen
class Cell:
    """Who can serve one want on one day.

    Attributes:
        kind: What is made.
        form: Its format or type; a clip for video.
        vendors: Who can, in the order in which they are tried.
        refusals: Why the others cannot, by provider.
    """

    kind: Kind
    form: str
    vendors: tuple[str, ...]
    refusals: Mapping[str, str]

    @property
    def at_risk(self) -> bool:
        """Whether the end, or an outage, of one vendor would leave nobody."""
        return len(self.vendors) < FEWEST_VENDORS


@frozen
class Risk:
    """A want that too few vendors can serve from a day on.

    Attributes:
        kind: What is made.
        form: Its format or type.
        day: The first such day.
        left: Who can still serve it then.
        ends: What ends until then, in words.
        others: Vendors that could serve it then, if they had keys.
    """

    kind: Kind
    form: str
    day: date
    left: tuple[str, ...]
    ends: tuple[str, ...]
    others: tuple[str, ...]


def coverage(offered: Iterable[Capability], supply: Supply, day: date) -> tuple[Cell, ...]:
    """Return who of those can serve each want on a day."""
    providers = tuple(offered)
    return tuple(_cell(form, asked, providers, supply, day) for form, asked in _wants())


def risks(
    offered: Iterable[Capability], known: Iterable[Capability], supply: Supply, today: date, *, days: int = DAYS_AHEAD
) -> tuple[Risk, ...]:
    """Return what of that which can be served today is at risk within so many days.

    Args:
        offered: Those that have keys.
        known: Those there are.
        supply: Their models and voices.
        today: The first of the days, UTC.
        days: How many.
    """
    mine, every = tuple(offered), tuple(known)
    now = coverage(mine, supply, today)
    found: dict[int, Risk] = {}
    for day in _changes(mine, supply, today, days):
        then = coverage(mine, supply, day)
        served = (place for place, cell in enumerate(now) if cell.vendors and place not in found)
        fallen = [place for place in served if then[place].at_risk]
        possible = coverage(every, supply, day) if fallen else ()
        found |= {place: _risk(now[place], then[place], day, possible[place]) for place in fallen}
    return tuple(found[place] for place in sorted(found))


def _risk(before: Cell, after: Cell, day: date, possible: Cell) -> Risk:
    ended = [why for provider, why in after.refusals.items() if provider not in before.refusals]
    others = tuple(vendor for vendor in possible.vendors if vendor not in after.vendors)
    return Risk(after.kind, after.form, day, after.vendors, tuple(ended), others)


def _changes(offered: tuple[Capability, ...], supply: Supply, today: date, days: int) -> list[date]:
    """Today, and each later day on which a model or a voice of theirs ends."""
    of_models = {model.retires for provider in offered for model in supply.models(provider.name)}
    of_voices = {voice.retires for provider in offered for voice in supply.book.voices.get(provider.name, ())}
    ends = {day for day in of_models | of_voices if day is not None}
    return sorted({today} | {day for day in ends if today < day < today + timedelta(days=days)})


def _wants() -> Iterator[tuple[str, MediaInput]]:
    for form in get_args(TtsInput.model_fields["format"].annotation):
        yield form, TtsInput(text="hello", format=form)
    for form in get_args(ImageInput.model_fields["format"].annotation):
        yield form, ImageInput(prompt="hello", format=form)
    yield "clip", VideoInput(prompt="hello")
    for form in get_args(AudioInput.model_fields["type"].annotation):
        yield form, AudioInput(prompt="hello", type=form)


def _cell(form: str, asked: MediaInput, offered: tuple[Capability, ...], supply: Supply, day: date) -> Cell:
    answers = [(each, _refusal(each, asked, supply, day)) for each in offered if each.kind is asked.kind]
    able = dict.fromkeys(provider.vendor for provider, why in answers if why is None)
    refusals = {provider.name: why for provider, why in answers if why is not None}
    return Cell(asked.kind, form, tuple(able), refusals)


def _refusal(provider: Capability, asked: MediaInput, supply: Supply, day: date) -> str | None:
    """Why the provider cannot serve it on that day; None when it can."""
    model = supply.default(provider.name, day, getattr(asked, "type", None))
    if model.retired(day):
        return model.retirement_warning(day)
    if asked.kind is not Kind.TTS:
        return provider.refusal(call_of(provider, asked, "calendar", model, {}, None))
    voice = supply.book.choose(provider.name, WantedVoice(), model.id, day)
    if isinstance(voice, str):
        return voice
    return provider.refusal(call_of(provider, asked, "calendar", model, {}, voice))
