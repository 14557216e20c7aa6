"""How much of answers a worker holds at once: who takes how much, who waits, and that what is paid for gets in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.results import result_store
from mediarelay.results.result_store import Holding, Room, spooled
from mediarelay.vocabulary.errors import Unreachable
from tests.doubles.clock import ManualClock
from tests.doubles.scripted_http import MEDIA

MOST = 1000
RESERVE = 250


class Turns(ManualClock):
    """A clock whose sleep lets the others go on."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        threading.Event().wait(0.0001)


def room(clock: ManualClock | None = None) -> Room:
    return Room(MOST, clock or ManualClock())


def took(given: Room, size: int, *, wait: float = 0.0, ends_at: float = 60.0) -> Holding | None:
    now = given.clock.now()
    return given.take(size, until=now + wait, ends_at=now + ends_at)


def taken(given: Room, size: int, **how: float) -> Holding:
    holding = took(given, size, **how)
    assert holding is not None
    return holding


def test_what_fits_beside_the_reserve_is_taken_at_once() -> None:
    given = room()
    taken(given, 500)
    taken(given, 250)
    assert took(given, 1) is None


def test_what_is_given_back_can_be_taken_again() -> None:
    given = room()
    for _ in range(3):
        taken(given, 700).release()


def test_nearly_all_of_it_is_for_one_that_is_alone() -> None:
    given = room()
    small = taken(given, 1)
    assert took(given, MOST) is None
    small.release()
    taken(given, MOST)
    assert took(given, 1) is None


def test_who_expects_nothing_never_waits() -> None:
    given = room()
    taken(given, MOST)
    taken(given, 0)


def test_who_waits_does_so_no_longer_than_it_may() -> None:
    given = room()
    taken(given, MOST)
    began = given.clock.now()
    assert took(given, 10, wait=3.0) is None
    assert 3.0 <= given.clock.now() - began < 3.5


def test_a_large_one_that_waits_is_not_overtaken_by_small_ones() -> None:
    clock = Turns()
    given, order = room(clock), list[int]()
    first = taken(given, 700)

    def wait(size: int) -> None:
        taken(given, size, wait=1e9)
        order.append(size)

    with ThreadPoolExecutor() as threads:
        large = threads.submit(wait, 740)
        while not given._line:
            clock.sleep(0.0)
        small = threads.submit(wait, 10)
        while len(given._line) < 2:
            clock.sleep(0.0)
        first.release()
        large.result()
        assert small.result() is None
    assert order == [740, 10]


def test_an_answer_beyond_what_was_expected_gets_in() -> None:
    given = room()
    holding = taken(given, 100)
    holding.note(100)
    holding.note(MOST - 100)
    assert (holding.used, holding.size) == (MOST, MOST)
    holding.release()
    taken(given, MOST)


def test_one_that_finds_no_room_before_its_end_is_lost_and_was_sent() -> None:
    given = room()
    taken(given, 500)
    holding = taken(given, 100, ends_at=5.0)
    with pytest.raises(Unreachable) as lost:
        holding.note(MOST)
    assert (lost.value.code, lost.value.sent) == ("no_room", True)


@given(st.lists(st.integers(50, 600), min_size=2, max_size=8), st.integers(0, 10**6))
def test_all_that_grow_at_once_come_to_their_end(sizes: list[int], seed: int) -> None:
    """However much more comes than was expected, as long as each alone fits beside what the others were given."""
    clock, dice = Turns(), Random(seed)
    given, most = room(clock), [0]

    def serve(size: int) -> None:
        # No more is expected than that all of them get in and none can grow but into the reserve.
        holding = taken(given, 750 // len(sizes), wait=1e9, ends_at=1e9)
        for _ in range(size // 50):
            holding.note(min(50, max(1, dice.randint(1, 50))))
            most[0] = max(most[0], given._taken)
        holding.release()

    with ThreadPoolExecutor() as threads:
        list(threads.map(serve, [min(size, 750 // len(sizes) + RESERVE) for size in sizes]))
    assert most[0] <= MOST
    assert given._taken == 0


def test_a_spool_counts_while_it_is_open() -> None:
    holding = taken(room(), 10)
    with spooled([MEDIA["png"], b"\0" * 100], "png", holding=holding) as media:
        assert holding.used == media.size == len(MEDIA["png"]) + 100
    assert holding.used == 0


class Full:
    """A file on a disk that takes no more, not even on closing."""

    closed = False

    def __init__(self, **_: Any) -> None:
        pass

    def write(self, _: bytes) -> int:
        raise OSError(28, "No space left on device")

    def close(self) -> None:
        type(self).closed = True
        raise OSError(28, "No space left on device")


def test_a_full_disk_loses_an_answer_like_one_that_broke_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_store, "SpooledTemporaryFile", Full)
    with pytest.raises(Unreachable) as lost, spooled(_chunks(), "png"):
        pass
    assert (lost.value.code, lost.value.sent, Full.closed) == ("no_room", True, True)


def _chunks() -> Iterator[bytes]:
    yield MEDIA["png"]
