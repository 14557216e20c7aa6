"""The clock of a server, read from the `Date` header of its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from mediarelay.limits.fleet_clock import FleetClock
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.wait_time import http_date_seconds


class ServerDate:
    """Tells a fleet clock what each answer says; a refusal carries the date as well."""

    def __init__(self, clock: Clock, fleet: FleetClock) -> None:
        self._clock = clock
        self._fleet = fleet

    def timed(self, call: Callable[[], Any]) -> Any:
        """Make the call and note the date of its answer."""
        sent = self._clock.now()
        try:
            answer = call()
        except ClientError as error:
            self._observe(error.response, sent)
            raise
        self._observe(answer, sent)
        return answer

    def _observe(self, answer: Any, sent: float) -> None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        date = http_date_seconds(headers.get("date", ""))
        if date is not None:
            self._fleet.observe(date, sent=sent, received=self._clock.now())
