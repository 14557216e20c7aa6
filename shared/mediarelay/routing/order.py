"""Which provider first: offers in, an order out; and which format of speech to ask each of them for.

Theory of operation
- Availability comes first, whatever the strategy: a provider that is open is asked last, one on trial is asked first by
  the one request that is its trial. Providers without a usable key come after those with one, since they would only be
  asked for a key to learn that; `ordered` takes the publisher's word and leaves that out.
- `fastest` compares *loads*: the latency to expect, times the calls that already wait per key. Two of the providers
  that are about as fast as the fastest are drawn, and the less loaded goes first (power of two choices), so that a
  fleet that reads the same figures does not stampede to the same provider. Where some of them make the format that was
  asked for, the draw is between those: what is encoded twice loses twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

from mediarelay.job_records.job_spec import exceeds, would_cost
from mediarelay.providers.api import Capability, ProviderCall, Voice
from mediarelay.providers.input_checks import speaks
from mediarelay.providers.offers import Availability, Offer
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import Kind

# Only for annotations: what is asked arrives as a value.
if TYPE_CHECKING:
    from mediarelay.providers.catalogue import Model
    from mediarelay.request.model import MediaInput, TtsInput

# A provider at most this many times as loaded as the least loaded is about as fast.
COMPARABLE: Final = 2.0

# Best first: what loses nothing, of that what says its own rate; then by how much is lost.
SOURCES: Final = ("wav", "flac", "pcm", "mp3", "opus", "aac")


@frozen
class Decision:
    """An order of offers, and all that led to it.

    Attributes:
        strategy: As requested.
        order: Best first.
        drawn: The two that were compared by chance, or the only one of its kind that was not to be; empty when there
            was nothing to draw.
    """

    strategy: str
    order: tuple[Offer, ...]
    drawn: tuple[str, ...] = ()


# `ordered` and `cheapest` pass a degraded provider by only for the publisher's own reasons.
_DEMOTED: Final = frozenset({Availability.SUSPECT, Availability.OPEN})
_PREFERENCE: Final[Mapping[str, Callable[[Offer], Any]]] = MappingProxyType(
    {
        "fastest": lambda offer: (
            offer.usable_keys == 0,
            offer.availability,
            load(offer),
            offer.cost_usd,
            not offer.as_asked,
        ),
        "cheapest": lambda offer: (
            offer.usable_keys == 0,
            _coarse(offer),
            offer.cost_usd,
            not offer.as_asked,
            load(offer),
        ),
        "ordered": lambda offer: _coarse(offer),  # noqa: PLW0108 # defined below
    }
)


def rank(offers: Sequence[Offer], strategy: str) -> tuple[Offer, ...]:
    """Order the offers, best first, without chance; offers that are equal stay in the order given.

    Args:
        offers: In the request's order.
        strategy: `fastest`, `cheapest` or `ordered`.
    """
    return tuple(sorted(offers, key=_PREFERENCE[strategy]))


def decide(offers: Sequence[Offer], strategy: str, *, rng: Random) -> Decision:
    """Rank; for `fastest`, let two of the comparable ones compete for the first place."""
    if len(offers) == 1:
        return Decision(strategy, tuple(offers))
    ranked = rank(offers, strategy)
    equal = comparable(ranked) if strategy == "fastest" else ()
    rivals = [offer for offer in equal if offer.as_asked] or equal
    if len(equal) <= 2 and len(rivals) == len(equal):  # noqa: PLR2004 # drawing two of two is no draw
        return Decision(strategy, ranked)
    drawn = rng.sample(rivals, min(2, len(rivals)))
    return Decision(strategy, put_first(ranked, drawn), tuple(offer.provider for offer in drawn))


# The first users named this function; it keeps the name.
def get_fastest_provider(offers: Sequence[Offer], *, rng: Random) -> Offer | None:
    """Choose by health, latency and headroom, with power of two choices; None when there are no offers."""
    order = decide(offers, "fastest", rng=rng).order
    return order[0] if order else None


def comparable(ranked: Sequence[Offer]) -> Sequence[Offer]:
    """Return those as available as the best one and about as fast; a trial has no competitors."""
    if not ranked or ranked[0].availability is Availability.TRIAL:
        return ranked[:1]
    best = ranked[0]
    most = COMPARABLE * load(best)
    return [
        offer
        for offer in ranked
        if offer.availability is best.availability
        and (offer.usable_keys == 0) == (best.usable_keys == 0)
        and load(offer) <= most
    ]


def put_first(ranked: Sequence[Offer], drawn: Sequence[Offer]) -> tuple[Offer, ...]:
    """Return the ranking with the less loaded of those drawn moved to the front."""
    winner = min(drawn, key=ranked.index)
    return (winner, *(offer for offer in ranked if offer is not winner))


def unaffordable(prices: Mapping[str, float], most: float | None, *, together: bool) -> Mapping[str, float]:
    """Returns the providers that cost more than a request may, with their prices; all of them, where the sum does.

    Args:
        prices: What each would cost, US dollars.
        most: What the request may cost; None for any amount.
        together: Whether all of them are to be asked.
    """
    if most is None:
        return {}
    dear = {name: price for name, price in prices.items() if exceeds(price, most)}
    rest = sum(price for name, price in prices.items() if name not in dear)
    return prices if together and exceeds(rest, most) else dear


def too_expensive(most: float, prices: Mapping[str, float], *, together: bool = False) -> str:
    """Returns what these providers would cost, beside what the request may."""
    total = f"; all of them ${sum(prices.values()):.6g}" if together and len(prices) > 1 else ""
    return f"max_cost_usd: {most:g}; it would cost: {would_cost(prices)}{total}"


def load(offer: Offer) -> float:
    """Return the seconds to expect, with those before us in the queue for its keys."""
    return offer.expected_seconds * (1 + offer.pending / max(1, offer.usable_keys))


def _coarse(offer: Offer) -> int:
    if offer.availability is Availability.TRIAL:
        return 0
    return int(offer.availability) if offer.availability in _DEMOTED else 1


def call_of(
    provider: Capability, asked: MediaInput, job_id: str, model: Model, options: Mapping[str, Any], voice: Voice | None
) -> ProviderCall:
    """Returns what is asked of a provider, priced with its options: of one that speaks, in a format that it makes."""
    source = None
    if asked.kind is Kind.TTS and speaks(provider):
        said = cast("TtsInput", asked)
        source = source_format(said.format, provider.formats, remade=bool(said.sample_rate or said.loudness))
    call = ProviderCall(job_id, asked, model, options, voice, source)
    if not options:
        return call
    from mediarelay.routing.options import priced  # noqa: PLC0415 # few requests have options

    return priced(call)


def source_format(wanted: str, made: Collection[str], *, remade: bool = False) -> str | None:
    """Returns the vendor's best format to make the wanted one of; None where the vendor makes that.

    Args:
        wanted: What the request asks for.
        made: What the vendor makes; empty means all.
        remade: Whether the sound is decoded and encoded in any case, for another rate or loudness.
    """
    offered = [name for name in SOURCES if not made or name in made]
    return None if not offered or (wanted in offered and not remade) else offered[0]
