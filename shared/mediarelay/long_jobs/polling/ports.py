"""How long jobs took, as a port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class CompletionTimes(Protocol):
    """How long the newest jobs took, seconds by provider and model. Both raise `StoreUnavailable`."""

    def load(self, provider: str, model: str) -> Sequence[float]:
        """Read the durations, newest last; empty when nothing is known."""

    def add(self, provider: str, model: str, seconds: float) -> None:
        """Add one more; it may be lost when two are added at once."""
