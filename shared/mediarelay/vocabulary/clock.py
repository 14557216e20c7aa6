"""The clock, as a port."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Time. Unix seconds."""

    def now(self) -> float:
        """Return the moment."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
