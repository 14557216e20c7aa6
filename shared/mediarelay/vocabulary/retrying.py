"""Retry a store for a while: what has been paid for must not be lost to a hiccup."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable

T = TypeVar("T")
logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 2.0


def retry_until(action: Callable[[], T], *, clock: Clock, until: float) -> T:
    """Repeat *action* while its store is unavailable, with growing pauses, but not past *until* (unix seconds).

    Raises:
        StoreUnavailable: The last one, when time ran out.
    """
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return action()
        except StoreUnavailable as error:
            if clock.now() + pause >= until:
                raise
            logger.warning("store unavailable, trying again", extra={"store": error.store, "reason": error.reason})
        clock.sleep(pause)
        pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
