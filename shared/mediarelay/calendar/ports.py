"""What the watch on the calendar needs of the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.calendar.contract import CapabilityState


class CapabilityStates(Protocol):
    """The state of each kind as the sweep last told it. Both raise `StoreUnavailable`."""

    def load(self) -> Mapping[str, CapabilityState]:
        """Read the states, by kind."""

    def save(self, state: CapabilityState) -> None:
        """Replace the kind's state."""
