from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from mediarelay.aws.stores import GroupCommit

FOREVER = 60.0


class Table:
    """Writes groups of numbers, each when it is let; 13 is refused, and a group with 99 breaks."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.came = threading.Semaphore(0)
        self.let = threading.Semaphore(0)

    def write(self, numbers: Sequence[int]) -> list[str | Exception]:
        """Tell each number as a word."""
        self.groups.append(list(numbers))
        self.came.release()
        self.let.acquire()
        if 99 in numbers:
            raise ConnectionError("gone")
        return [ValueError("unlucky") if number == 13 else str(number) for number in numbers]


class Desk:
    """A group commit whose first write is under way."""

    def __init__(self, threads: ThreadPoolExecutor, limit: int = 25, max_wait_seconds: float = FOREVER) -> None:
        self.table = Table()
        self.commit = GroupCommit(self.table.write, limit=limit, max_wait_seconds=max_wait_seconds)
        self.threads = threads
        self.first = threads.submit(self.commit.submit, 1)
        self.table.came.acquire()

    def queue(self, *numbers: int) -> list[Future[str]]:
        """Wanted meanwhile, in this order."""
        futures = []
        for number in numbers:
            futures.append(self.threads.submit(self.commit.submit, number))
            while number not in [entry.item for entry in self.commit._waiting]:
                threading.Event().wait(0.001)
        return futures


@pytest.fixture
def threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=10)


def test_who_finds_nothing_under_way_writes_at_once_and_alone(threads: ThreadPoolExecutor) -> None:
    desk = Desk(threads)
    desk.table.let.release(2)
    assert desk.first.result() == "1"
    assert desk.commit.submit(2) == "2"
    assert desk.table.groups == [[1], [2]]


def test_what_is_wanted_meanwhile_goes_together_next(threads: ThreadPoolExecutor) -> None:
    desk = Desk(threads)
    others = desk.queue(2, 3, 4)
    desk.table.let.release(2)
    assert [other.result() for other in others] == ["2", "3", "4"]
    assert desk.table.groups == [[1], [2, 3, 4]]


def test_a_group_has_a_limit_and_the_rest_goes_after_it(threads: ThreadPoolExecutor) -> None:
    desk = Desk(threads, limit=2)
    others = desk.queue(2, 3, 4)
    desk.table.let.release(3)
    assert [other.result() for other in others] == ["2", "3", "4"]
    assert desk.table.groups == [[1], [2, 3], [4]]


def test_each_is_told_of_its_own_failure_only(threads: ThreadPoolExecutor) -> None:
    desk = Desk(threads)
    good, bad = desk.queue(2, 13)
    desk.table.let.release(2)
    assert good.result() == "2"
    with pytest.raises(ValueError, match="unlucky"):
        bad.result()


def test_a_call_that_fails_fails_its_group_and_not_the_next(threads: ThreadPoolExecutor) -> None:
    desk = Desk(threads)
    group = desk.queue(2, 99)
    desk.table.let.release(3)
    for one in group:
        with pytest.raises(ConnectionError):
            one.result()
    assert desk.commit.submit(5) == "5"


def test_nobody_waits_long_for_a_write_that_hangs(threads: ThreadPoolExecutor) -> None:
    desk = Desk(threads, max_wait_seconds=0.0)
    other = threads.submit(desk.commit.submit, 2)
    desk.table.came.acquire()  # while the first still hangs
    assert desk.table.groups == [[1], [2]]
    desk.table.let.release(2)
    assert (desk.first.result(), other.result()) == ("1", "2")
