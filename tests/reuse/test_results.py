"""To the moment: which result is new enough, whose file stays long enough, and until when another one buys."""

from __future__ import annotations

import pytest

from mediarelay.job_records.contract import JobRecord
from mediarelay.reuse.contract import Reusable, ReuseEntry
from mediarelay.reuse.results import SharedResult
from mediarelay.reuse.rules import FILE_LEFT_SECONDS, Need, UnderWay, answer_of, fresh
from mediarelay.vocabulary.kinds import JobStatus, Kind
from tests.builders.requests import EPOCH_MS
from tests.doubles.clock import EPOCH, ManualClock
from tests.doubles.jobs import MemoryReuse

KEY = "acme#0123"
HOUR = 3600
NEED = Need("mine", Kind.TTS, max_age=HOUR, kept=FILE_LEFT_SECONDS + 2 * HOUR)
UNTIL = EPOCH_MS + 60_000


class Buyers:
    """The records of one buyer."""

    def __init__(self, **record: object) -> None:
        self._record = JobRecord.model_validate({"request_id": "theirs", "received_at": EPOCH_MS, **record})

    def get(self, request_id: str) -> JobRecord | None:
        """See `reuse.results.Records.get`."""
        return self._record if request_id == "theirs" else None


def result(*, received: float = EPOCH, settled: float = EPOCH) -> Reusable:
    return Reusable(job_id="theirs", received_at=round(received * 1000), settled_at=round(settled * 1000), outputs=[])


@pytest.mark.parametrize(("age", "expected"), [(HOUR - 1, True), (HOUR, False)])
def test_a_result_is_younger_than_what_is_asked(age: int, *, expected: bool) -> None:
    assert fresh(result(), NEED, EPOCH + age) is expected


@pytest.mark.parametrize(("age", "expected"), [(2 * HOUR - 1, True), (2 * HOUR, False)])
def test_its_files_stay_for_longer_than_any_link(age: int, *, expected: bool) -> None:
    now = EPOCH + age
    assert fresh(result(received=EPOCH, settled=now), NEED, now) is expected


@pytest.mark.parametrize(("after", "expected"), [(0, UnderWay(EPOCH + 61)), (0.001, None)])
def test_another_one_buys_up_to_the_last_moment(after: float, expected: UnderWay | None) -> None:
    entry = ReuseEntry(buyer="theirs", until=UNTIL)
    assert answer_of(entry, NEED, EPOCH + 60 + after) == expected


@pytest.mark.parametrize(("left_ms", "waits"), [(0, True), (-1, False)])
def test_a_late_buyer_is_waited_for_while_its_worker_may_live(left_ms: int, *, waits: bool) -> None:
    entries, clock = MemoryReuse(), ManualClock()
    entries.entries[KEY] = ReuseEntry(buyer="theirs", until=EPOCH_MS)
    clock.advance(60)
    lease = round(clock.now() * 1000) + left_ms
    buyer = Buyers(status=JobStatus.RUNNING, lease_until=lease)
    found = SharedResult(entries, buyer, KEY, NEED, clock).find(until=UNTIL + HOUR)
    assert isinstance(found, UnderWay) is waits
    assert entries.entries[KEY].buyer == ("theirs" if waits else "mine")


def test_staying_the_buyer_for_no_longer_than_is_known_costs_no_write() -> None:
    entries = MemoryReuse()
    share = SharedResult(entries, Buyers(status=JobStatus.QUEUED), KEY, NEED, ManualClock())
    assert share.find(until=UNTIL) is None
    bought = entries.writes
    share.keep(UNTIL)
    assert entries.writes == bought
    share.keep(UNTIL + 1)
    assert (entries.writes, entries.entries[KEY].until) == (bought + 1, UNTIL + 1)
