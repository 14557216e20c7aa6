import asyncio
import math
from random import Random

import pytest
from pydantic import ValidationError

from tools.simulator.state.latency import Fixed, LatencyTable, Lognormal, Uniform
from tools.simulator.state.limits import Slots, TokenBucket


def test_a_bucket_gives_its_burst_then_tells_the_wait():
    bucket = TokenBucket(rate=2, burst=3, now=100)
    assert [bucket.take(100) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(100) == pytest.approx(0.5)
    assert bucket.take(100.25) == pytest.approx(0.25)
    assert bucket.take(100.5) == 0


def test_a_refusal_costs_no_token():
    bucket = TokenBucket(rate=1, burst=1, now=0)
    assert bucket.take(0) == 0
    for _ in range(5):
        assert bucket.take(0.5) == pytest.approx(0.5)
    assert bucket.take(1) == 0


def test_a_bucket_never_holds_more_than_its_burst():
    bucket = TokenBucket(rate=10, burst=2, now=0)
    assert bucket.level(1000) == 2
    bucket.take(1000)
    assert bucket.seconds_until_full(1000) == pytest.approx(0.1)


def test_a_clock_that_steps_back_gives_nothing():
    bucket = TokenBucket(rate=1, burst=1, now=10)
    assert bucket.take(10) == 0
    assert bucket.take(5) == pytest.approx(1)
    assert bucket.take(10.5) == pytest.approx(0.5)


def test_slots_refuse_beyond_the_limit():
    slots = Slots(2)
    assert [slots.try_take() for _ in range(3)] == [True, True, False]
    slots.release()
    assert slots.try_take()


def test_slots_serve_the_waiting_in_order_and_skip_those_who_left():
    async def scene() -> list[str]:
        slots, served = Slots(1), []

        async def worker(name: str) -> None:
            await slots.take()
            served.append(name)

        assert slots.try_take()
        tasks = [asyncio.create_task(worker(name)) for name in "abc"]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        slots.release()
        await tasks[1]
        assert not slots.try_take()
        slots.release()
        await tasks[2]
        slots.release()
        assert slots.in_use == 0
        return served

    assert asyncio.run(scene()) == ["b", "c"]


def test_lognormal_meets_its_median_and_p99():
    dice, tail = Random(7), Lognormal(median=2, p99=20)
    draws = sorted(tail.draw(dice) for _ in range(20_000))
    assert draws[10_000] == pytest.approx(2, rel=0.05)
    assert draws[19_800] == pytest.approx(20, rel=0.15)


def test_a_tail_below_the_median_is_refused():
    with pytest.raises(ValidationError, match="p99 must not be below"):
        Lognormal(median=2, p99=1)


def test_the_most_specific_latency_wins_and_nothing_means_none():
    table = LatencyTable(
        {"openai": {"speech": Fixed(seconds=1), "*": Fixed(seconds=2)}, "*": {"image": Fixed(seconds=3)}}, 1
    )
    assert [table.draw("openai", "speech"), table.draw("openai", "image"), table.draw("fal", "image")] == [1, 2, 3]
    assert table.draw("fal", "media") == 0


def test_the_same_seed_draws_the_same_latencies():
    first, second = (LatencyTable({"*": {"*": Uniform(low=0, high=1)}}, 5) for _ in range(2))
    draws = [first.draw("fal", "image") for _ in range(5)]
    assert draws == [second.draw("fal", "image") for _ in range(5)]
    assert len(set(draws)) == 5
    assert not any(math.isnan(draw) for draw in draws)
