"""What the API needs of the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.api.contract import AuditEntry
    from mediarelay.api.tokens import Token


class TokenSource(Protocol):
    """The API's tokens."""

    def load(self) -> Sequence[Token]:
        """Read all of them, cached for a while. Raises `StoreUnavailable`."""


class AuditLog(Protocol):
    """What was changed through the API. Both raise `StoreUnavailable`."""

    def add(self, entry: AuditEntry) -> None:
        """Note what is changed."""

    def since(self, moment: float, limit: int) -> Sequence[AuditEntry]:
        """Read what was changed since then (unix seconds), the newest first."""
