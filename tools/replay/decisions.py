"""Routing decisions from the dispatcher's log, made again from their own inputs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mediarelay.providers.offers import Availability, Offer
from mediarelay.routing.order import put_first, rank


@dataclass(frozen=True)
class Replayed:
    """One decision: as it was made, and as it comes out now."""

    request_id: str
    then: list[str]
    now: list[str]


def replay(lines: Iterable[str]) -> Iterator[Replayed]:
    """Every `routed` line of a log of JSON lines, decided again with the same draw."""
    for line in lines:
        entry = _routed(line)
        if entry is not None:
            offers = [
                Offer(**{**each, "availability": Availability[each["availability"].upper()]}) for each in entry["order"]
            ]
            ranked = rank(offers, entry["strategy"])
            drawn = [offer for offer in ranked if offer.provider in entry["drawn"]]
            order = put_first(ranked, drawn) if drawn else ranked
            then = [each["provider"] for each in entry["order"]]
            yield Replayed(entry["request_id"], then, [offer.provider for offer in order])


def _routed(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and entry.get("message") == "routed" else None
