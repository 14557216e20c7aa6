"""Find the result of an identical request, join one that is being bought, and let others have what a job bought."""

from __future__ import annotations

import logging
from typing import Final, Protocol

from mediarelay.job_records.claims import Settlement
from mediarelay.job_records.contract import JobRecord
from mediarelay.reuse.contract import Reusable, ReuseEntry
from mediarelay.reuse.ports import ReuseStore
from mediarelay.reuse.rules import Need, UnderWay, answer_of, bought, busy_until, fresh, result_of
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

TRIES: Final = 4


class Records(Protocol):
    """The records of jobs, as they are read here."""

    def get(self, request_id: str) -> JobRecord | None:
        """Read one record."""


class SharedResult:
    """What one job shares with all that ask for the same. Every method raises `StoreUnavailable`."""

    def __init__(self, entries: ReuseStore, records: Records, key: str, need: Need, clock: Clock) -> None:
        self._entries = entries
        self._records = records
        self._key = key
        self._need = need
        self._clock = clock
        self._until = 0

    def find(self, *, until: int) -> Reusable | UnderWay | None:
        """Look for a result. Returns it, or that one is being bought; None when the job is now to buy it, until then.

        One read; the buyer writes as well. Only where a buyer is late its record is read: it may have ended unseen.
        """
        entry = self._entries.load(self._key)
        for _ in range(TRIES):
            answer = answer_of(entry, self._need, self._clock.now()) or self._left_by(entry)
            if answer is not None:
                return answer
            standing = self._entries.take(self._key, self._need.job_id, until=until, seen=entry)
            if standing is None:
                self._until = until
                return None
            entry = standing
        raise StoreUnavailable("telemetry table", "look for a result", "too many buyers at once")

    def _left_by(self, entry: ReuseEntry) -> Reusable | UnderWay | None:
        """What a buyer that is late has come to."""
        buyer, now = entry.buyer, self._clock.now()
        if buyer in (None, self._need.job_id):
            return None
        record = self._records.get(buyer)
        result, until = result_of(record), busy_until(record)
        if result is not None:
            self._entries.publish(self._key, buyer, result)
            return result if fresh(result, self._need, now) else None
        if until < now * 1000:
            logger.warning("buyer lost", extra={"request_id": self._need.job_id, "buyer": buyer})
            return None
        self._entries.hold(self._key, buyer, until=until)
        return answer_of(entry.model_copy(update={"until": until}), self._need, now)

    def share(self, settlement: Settlement) -> None:
        """Let others have what was bought; see `share`."""
        share(self._entries, self._key, settlement)

    def keep(self, until: int) -> None:
        """Stay the buyer until then (unix ms), if that is longer than it is known."""
        if until > self._until:
            self._entries.hold(self._key, self._need.job_id, until=until)

    def lapse(self) -> None:
        """End as its buyer: the next job that asks finds out by the record what has come of it."""
        self._entries.hold(self._key, self._need.job_id, until=0)

    def give_up(self) -> None:
        """End as its buyer, with nothing bought."""
        self._entries.free(self._key, self._need.job_id)


def share(entries: ReuseStore, key: str, settlement: Settlement) -> None:
    """Let others have what a settled job has bought, or buy it themselves where it has nothing.

    Where that can't be written, the next job that asks finds it out by the record once the buyer is late.
    """
    result = bought(settlement)
    try:
        if result is None:
            entries.free(key, settlement.request_id)
        else:
            entries.publish(key, settlement.request_id, result)
    except StoreUnavailable as error:
        logger.warning("result not shared", extra={"request_id": settlement.request_id, "reason": error.reason})
