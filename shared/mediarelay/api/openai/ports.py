"""What the routes in OpenAI's shape need of the world, beside what publishing needs."""

from __future__ import annotations

from typing import Protocol


class Markers(Protocol):
    """By which job a request is served that an SDK has sent before. Both raise `StoreUnavailable`."""

    def find(self, digest: str, now: float) -> str | None:
        """Return the id that was noted last for it, if that holds at this moment (unix seconds)."""

    def note(self, digest: str, request_id: str, until: int) -> None:
        """Note the newest one, which holds until then (unix seconds)."""
