"""Clocks: unix time, which never goes back."""

from __future__ import annotations

import simpy

from mediarelay.aws.system_clock import SystemClock
from mediarelay.vocabulary.clock import Clock
from tests.doubles.clock import EPOCH, ManualClock
from tools.virtual_fleet.fleet import VirtualClock


def test_time_is_unix_time_and_passes() -> None:
    env = simpy.Environment()
    manual, virtual = ManualClock(), VirtualClock(env)
    before = [clock.now() for clock in (manual, virtual)]
    manual.advance(5.0)
    env.run(until=5.0)
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
