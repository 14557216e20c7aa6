"""What the fleet has learned about how long jobs take."""

from __future__ import annotations

import logging

from mediarelay.long_jobs.polling.completion import probable
from mediarelay.long_jobs.polling.ports import CompletionTimes
from mediarelay.long_jobs.polling.schedule import GROWTH, first_wait
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)


class CompletionHistory:
    """Reads and writes the shared history; without it the catalogue's figure is used."""

    def __init__(self, times: CompletionTimes, *, pace: float) -> None:
        """`pace` scales the catalogue's figures: 1 for real vendors, less for a simulator whose jobs are shorter."""
        self._times = times
        self._pace = pace

    def first_wait(self, provider: str, model: str, typical_seconds: float) -> int:
        """Return the seconds from a job's acceptance to its first poll."""
        try:
            known = self._times.load(provider, model)
        except StoreUnavailable as error:
            logger.warning("completion times unknown", extra={"provider": provider, "reason": error.reason})
            known = ()
        return first_wait(known, typical_seconds * self._pace)

    def learn(self, provider: str, model: str, elapsed: float, *, first: bool) -> None:
        """Add a job that was seen finished so many seconds after its acceptance; `first` if at its first poll."""
        try:
            self._times.add(provider, model, probable(elapsed, growth=GROWTH, first=first))
        except StoreUnavailable as error:
            logger.warning("completion time not kept", extra={"provider": provider, "reason": error.reason})
