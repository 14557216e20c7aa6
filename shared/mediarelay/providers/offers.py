"""A provider that can serve a request, with all that routing compares."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from mediarelay.providers.api import Capability, ProviderCall
from mediarelay.vocabulary.frozen import frozen


class Availability(IntEnum):
    """What routing knows of a provider, in the order in which they are asked."""

    TRIAL = 0  # open, and due for its one trial
    READY = 1  # healthy or idle
    DEGRADED = 2
    SUSPECT = 3  # this worker's last call to it failed
    OPEN = 4  # not to be called, unless nothing else is left


@frozen
class Offer:
    """One provider that can serve the request.

    Attributes:
        provider: Its name.
        cost_usd: The estimated price of this request.
        expected_seconds: The latency to expect.
        usable_keys: How many of its keys could be used right now.
        availability: What is known of its health.
        pending: Calls of this worker that it is serving now.
        as_asked: Whether the vendor makes the format that was asked for, so that none has to be made of another.
        model: The model that would be asked for; empty when nobody cares.
    """

    provider: str
    cost_usd: float
    expected_seconds: float
    usable_keys: int
    availability: Availability = Availability.READY
    pending: int = 0
    as_asked: bool = True
    model: str = ""


@frozen
class Route:
    """One provider's part in a request: what would be asked of it, and what routing compared.

    Attributes:
        answer_bytes: How much its answer may bring, so that a worker can make room; 0 where that comes later.
    """

    offer: Offer
    provider: Capability
    call: ProviderCall
    warning: str | None
    answer_bytes: int = 0

    def of_job(self, job_id: str) -> Route:
        """Return the route for a job of that id."""
        return replace(self, call=replace(self.call, request_id=job_id))
