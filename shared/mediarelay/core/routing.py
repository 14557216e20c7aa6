"""Which provider first: offers in, an order out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Offer:
    """One provider that can serve the request.

    Attributes:
        provider: Its name.
        cost_usd: The estimated price of this request.
        expected_seconds: The latency to expect.
        usable_keys: How many of its keys could be used right now.
    """

    provider: str
    cost_usd: float
    expected_seconds: float
    usable_keys: int


# Providers without a usable key come last whatever the strategy: they would only be asked for a key to learn that.
_PREFERENCE: Final[Mapping[str, Callable[[Offer], Any]]] = MappingProxyType(
    {
        "fastest": lambda offer: (offer.usable_keys == 0, offer.expected_seconds, offer.cost_usd),
        "cheapest": lambda offer: (offer.usable_keys == 0, offer.cost_usd, offer.expected_seconds),
        "ordered": lambda _: 0,
    }
)


def rank(offers: Sequence[Offer], strategy: str) -> tuple[Offer, ...]:
    """Best first; offers that are equal stay in the order given, which is the request's own.

    Args:
        offers: In the request's order.
        strategy: `fastest`, `cheapest` or `ordered`.
    """
    return tuple(sorted(offers, key=_PREFERENCE[strategy]))
