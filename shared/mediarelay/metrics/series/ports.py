"""Where the series is kept, as a port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.metrics.series.rolling import Series


class SeriesStore(Protocol):
    """One series for all providers. Both raise `StoreUnavailable`."""

    def load(self) -> Series:
        """Read it; an empty one before the first."""

    def save(self, series: Series) -> None:
        """Write it in place of the one before."""
