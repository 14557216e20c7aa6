"""What is written of a long text while its parts are spoken, as a port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class SpeechProgress(Protocol):
    """The record of the whole, in the Jobs table. Every method raises `StoreUnavailable`."""

    def note_plan(self, request_id: str, total: int, *, spoken: Sequence[int], lease_until: int) -> bool:
        """Write how many parts there are and which are spoken; from now on parts may be bought.

        Until `lease_until` (unix ms) nobody serves the job otherwise. Returns False when it is settled.
        """

    def note_spoken(self, request_id: str, number: int) -> None:
        """Count a part, once."""

    def note_stopped(self, request_id: str, at: int) -> None:
        """Record that no further part is to be bought until the next `note_plan` (unix ms)."""
