"""Fleet-wide leases: none yet. A worker goes on with its own pool, and 429s teach it."""

from __future__ import annotations


class LocalLeases:
    """Implements `ports.KeyLeases` by granting everything: the pool's own state decides."""

    def take(self, key_id: str, provider: str, *, now: float) -> float | None:  # noqa: ARG002 # the port's shape
        """Always granted."""
        return None
