"""The oracle: what could have been served, by someone who sees every bucket and knows every call's length.

Earliest deadline first: whenever a thread is free and some account would admit a call, the request that expires first
is called. It asks no table, and takes no time but the call's own. Of several accounts that would admit the call it
takes the one whose bucket would be full first, since a full bucket gives permits away.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from mediarelay.providers import listing
from tools.simulation.arrivals import Request
from tools.simulation.scenario import Change, Fault, Scenario
from tools.simulation.vendors.truth import Bucket, Owner, VendorState, changed, each_account

# Wherever nothing but an end can make room.
LATER: Final = math.inf


class Oracle:
    """Serves the requests of a scenario as well as can be, with so many threads."""

    def __init__(self, scenario: Scenario, threads: int) -> None:
        self.served: dict[int, float] = {}
        self._scenario = scenario
        self._free = threads
        self._states = {vendor: VendorState(scenario, vendor) for vendor in scenario.pools}
        self._declared = {vendor: each_account(pool) for vendor, pool in scenario.pools.items()}
        self._removed: set[tuple[str, int]] = set()
        self._vendors = {name: listing.providers()[name].vendor for name in scenario.providers}
        self._waiting: list[tuple[float, int, Request]] = []
        self._events: list[tuple[float, int, partial[None]]] = []
        self._numbers = itertools.count()
        self._again_at = LATER

    def run(self, requests: Sequence[Request]) -> Mapping[int, float]:
        """Serve them; returns when each was served, by its number."""
        for request in requests:
            self._at(request.at, partial(self._arrives, request))
        for change in self._scenario.changes:
            self._at(change.at, partial(self._changes, change))
        end = self._scenario.seconds + self._scenario.drain_seconds
        while self._events and self._events[0][0] <= end:
            now, _, event = heapq.heappop(self._events)
            event()
            if not self._events or self._events[0][0] > now:
                self._serve(now)
        return self.served

    def _at(self, moment: float, event: partial[None]) -> None:
        heapq.heappush(self._events, (moment, next(self._numbers), event))

    # --- what happens -----------------------------------------------------------------------------------------------

    def _arrives(self, request: Request) -> None:
        heapq.heappush(self._waiting, (request.expires_at, request.number, request))

    def _ends(self, request: Request, owner: Owner, at: float) -> None:
        owner.release()
        self._free += 1
        self.served[request.number] = at

    def _wakes(self) -> None:
        self._again_at = LATER

    def _changes(self, change: Change) -> None:
        accounts, state = self._declared[change.vendor], self._states[change.vendor]
        if change.truth is not None:
            state.become(change.at, changed(state.truth, change.truth), accounts)
        elif change.add_account is not None:
            for _ in range(change.add_account.repeat):
                accounts.append(change.add_account)
                state.add(change.add_account)
        elif change.lost_account is not None:
            self._removed.add((change.vendor, change.lost_account))

    # --- serving ----------------------------------------------------------------------------------------------------

    def _serve(self, now: float) -> None:
        """Begin every call that can begin."""
        while self._waiting and self._free:
            request = self._waiting[0][2]
            if now >= request.expires_at:
                heapq.heappop(self._waiting)
                continue
            owners, heals_at = self._owners(request, now)
            if heals_at is None:
                heapq.heappop(self._waiting)  # nobody will ever serve it
                continue
            moments = [(owner.ready_at(now, cost), owner, cost) for owner, cost in owners]
            ready = [(owner, cost) for at, owner, cost in moments if at <= now]
            if not ready:
                self._wait_until(min([heals_at, *(at for at, _, _ in moments)]))
                return
            owner, cost = min(ready, key=lambda each: seconds_until_full(each[0], now))
            heapq.heappop(self._waiting)
            owner.take(now, cost)
            self._free -= 1
            self._at(now + request.service, partial(self._ends, request, owner, now + request.service))

    def _wait_until(self, moment: float) -> None:
        if moment < self._again_at:
            self._again_at = moment
            self._at(moment, partial(self._wakes))

    def _owners(self, request: Request, now: float) -> tuple[list[tuple[Owner, float]], float | None]:
        """Return the accounts that may serve the request with what it costs them, and when a broken provider heals.

        That is None when all are broken for ever.
        """
        found: dict[int, tuple[Owner, float]] = {}
        heals_at, broken_for_ever = LATER, 0
        for provider, vendor in self._vendors.items():
            broken = [fault for fault in self._faults(provider, request) if fault.since <= now < _end(fault)]
            if broken:
                healed = max(map(_end, broken))
                heals_at = min(heals_at, healed)
                broken_for_ever += math.isinf(healed)
                continue
            state = self._states[vendor]
            cost = 1.0 if state.truth.counts == "requests" else float(len(request.text))
            for number, owner in enumerate(state.owners):
                if (vendor, number) not in self._removed:
                    found[id(owner)] = (owner, cost)
        return list(found.values()), None if broken_for_ever == len(self._vendors) else heals_at

    def _faults(self, provider: str, request: Request) -> Iterator[Fault]:
        for fault in self._scenario.faults:
            whole = fault.share >= 1.0 and fault.model is None
            if whole and fault.provider == provider and fault.text in (None, request.text):
                yield fault


def _end(fault: Fault) -> float:
    return LATER if fault.to is None else fault.to


def seconds_until_full(owner: Owner, now: float) -> float:
    """Return how long nothing of an account's permits is lost, least for what no rate limits."""
    if owner.gauge is None:
        return -LATER
    return (owner.gauge.burst - owner.gauge.level(now)) / owner.gauge.rate if isinstance(owner.gauge, Bucket) else 0.0
