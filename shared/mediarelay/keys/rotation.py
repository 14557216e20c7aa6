"""Which of the usable keys serves next."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple, Protocol


class Candidate(NamedTuple):
    """A key that may be used now.

    Attributes:
        weight: Share of the work relative to its siblings; positive.
        in_flight: Calls of this worker that hold it.
    """

    key_id: str
    weight: float
    in_flight: int


class RotationPolicy(Protocol):
    """Picks one candidate. May keep state: the pool calls it under its lock and gives every pool its own."""

    def choose(self, provider: str, candidates: Sequence[Candidate], rng: Random) -> Candidate:
        """Choose the candidate to use; there is at least one. Each `provider` has a rotation of its own."""


class RoundRobin:
    """Smooth weighted round robin: fair, interleaved, and steady while keys come and go.

    Every turn each candidate earns its weight; the richest is chosen and pays what all of them have earned together.
    """

    def __init__(self) -> None:
        # Apart per provider: one rotation shared by two providers that alternate would give each of them one key only.
        self._credits: dict[tuple[str, str], float] = {}

    def choose(self, provider: str, candidates: Sequence[Candidate], rng: Random) -> Candidate:
        """Choose the richest candidate."""
        for candidate in candidates:
            self._earn(provider, candidate, rng)
        chosen = max(candidates, key=lambda each: self._credits[provider, each.key_id])
        self._credits[provider, chosen.key_id] -= sum([each.weight for each in candidates])
        return chosen

    def _earn(self, provider: str, candidate: Candidate, rng: Random) -> None:
        account = (provider, candidate.key_id)
        # A random start below one turn's earnings: workers that start together must not all begin with the first key.
        credit = self._credits.get(account, rng.random() * candidate.weight)
        self._credits[account] = credit + candidate.weight


class PowerOfTwoChoices:
    """The less loaded, for its weight, of two candidates drawn at random: near the best, without a herd."""

    def choose(self, provider: str, candidates: Sequence[Candidate], rng: Random) -> Candidate:  # noqa: ARG002 - stateless
        """Choose the better of two; among equals the one drawn first."""
        drawn = rng.sample(candidates, k=min(2, len(candidates)))
        return min(drawn, key=lambda each: (each.in_flight + 1) / each.weight)
