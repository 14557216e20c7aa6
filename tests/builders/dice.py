"""Dice that fall the same way every time."""

from __future__ import annotations

from random import Random


def dice(seed: int = 0) -> Random:
    """A fair die, not a secret."""
    return Random(seed)
