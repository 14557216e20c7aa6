"""Counts of rare things, as a port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Counters(Protocol):
    """Counts of things that should not happen often."""

    def count(self, name: str, dimensions: Mapping[str, str]) -> None:
        """Count one more of it; never fails."""

    def observe(self, name: str, seconds: float) -> None:
        """Note how long something has taken so far; never fails."""
