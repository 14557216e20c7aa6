"""Calls PagerDuty."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from mediarelay.events.pagerduty import ADDRESS, PATH, TAKEN
from mediarelay.http.messages import HttpRequest
from mediarelay.http.ports import HttpClient
from mediarelay.vocabulary.clock import Clock

logger = logging.getLogger(__name__)

CALL_SECONDS: Final = 15.0
_BUSY: Final = 429
_FAULTS: Final = 500  # and above


class PagerDuty:
    """Implements `events.ports.Pager`."""

    def __init__(self, http: HttpClient, routing_key: Callable[[], str], clock: Clock) -> None:
        """`routing_key` raises `StoreUnavailable`."""
        self._http = http
        self._routing_key = routing_key
        self._clock = clock

    def send(self, event: Mapping[str, Any]) -> bool:
        """See `events.ports.Pager.send`."""
        document = {"routing_key": self._routing_key(), **event}
        asked = HttpRequest("POST", PATH, document, read_timeout_seconds=CALL_SECONDS, base_url=ADDRESS)
        with self._http.send(asked, deadline=self._clock.now() + CALL_SECONDS) as response:
            status = response.status
        again = status == _BUSY or status >= _FAULTS
        if status != TAKEN and not again:
            logger.error("PagerDuty refuses an event", extra={"status": status, "dedup_key": event["dedup_key"]})
        return again
