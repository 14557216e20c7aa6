"""Clocks: unix time, which never goes back."""

from __future__ import annotations

from functools import partial

from mediarelay.aws.system_clock import SystemClock
from mediarelay.vocabulary.clock import Clock
from tests.doubles.clock import EPOCH, ManualClock
from tools.simulation.loop import Loop, VirtualClock


def test_time_is_unix_time_and_passes() -> None:
    loop = Loop()
    manual, virtual = ManualClock(), VirtualClock(loop)
    before = [clock.now() for clock in (manual, virtual)]
    manual.advance(5.0)
    loop.at(5.0, lambda: None)
    loop.run(5.0)
    assert before == [EPOCH, EPOCH]
    assert [clock.now() for clock in (manual, virtual)] == [EPOCH + 5.0, EPOCH + 5.0]


def test_the_time_of_the_system_is_later_than_the_tests_and_never_goes_back() -> None:
    clock: Clock = SystemClock()
    first, second = clock.now(), clock.now()
    assert second >= first > 1_700_000_000


def test_a_sleep_is_over_when_its_time_is() -> None:
    for clock in (SystemClock(), ManualClock()):
        began = clock.now()
        clock.sleep(0.001)
        assert clock.now() >= began + 0.0009


def test_a_sleep_in_virtual_time_lets_others_go_on() -> None:
    loop, woken = Loop(), []
    clocks = [VirtualClock(loop), VirtualClock(loop, 2.0)]

    def sleeper(clock: Clock, seconds: float) -> None:
        clock.sleep(seconds)
        woken.append(clock.now() - EPOCH)

    for clock, seconds in zip(clocks, (3.0, 1.0), strict=True):
        loop.start(partial(sleeper, clock, seconds))
    loop.run(10.0)
    assert woken == [3.0, 3.0]
