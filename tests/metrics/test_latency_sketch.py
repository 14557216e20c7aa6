from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.metrics.latency_sketch import CEILING_MS, LatencySketch
from tests.builders.dice import dice

LATENCIES = st.lists(st.integers(1, CEILING_MS), min_size=1, max_size=300)
RANKS = (0.0, 0.5, 0.95, 0.99, 1.0)


def exact(values: list[int], q: float) -> int:
    return sorted(values)[math.floor(q * (len(values) - 1))]


@given(values=LATENCIES, q=st.sampled_from(RANKS))
def test_a_quantile_is_within_the_promised_accuracy_of_the_exact_one(values: list[int], q: float) -> None:
    found = LatencySketch.of(values).quantile(q)
    assert found is not None
    assert abs(found - exact(values, q)) <= 0.01 * exact(values, q) * 1.000001


@given(left=LATENCIES, right=LATENCIES)
def test_merged_sketches_are_the_sketch_of_all_values_in_either_order(left: list[int], right: list[int]) -> None:
    both, other_way = LatencySketch.of(left), LatencySketch.of(right)
    both.merge(LatencySketch.of(right))
    other_way.merge(LatencySketch.of(left))
    assert both.bins == other_way.bins == LatencySketch.of([*left, *right]).bins


@given(values=st.lists(st.integers(0, 2 * CEILING_MS), max_size=200))
def test_bytes_give_the_sketch_back(values: list[int]) -> None:
    sketch = LatencySketch.of(values)
    assert LatencySketch.from_bytes(sketch.to_bytes()) == sketch


def test_an_empty_sketch_has_no_quantile() -> None:
    assert LatencySketch().quantile(0.5) is None


def test_what_is_out_of_range_counts_as_the_end_of_the_range() -> None:
    assert LatencySketch.of([-5, 0, 1]).bins == {0: 3}
    assert LatencySketch.of([14_400_000]).bins == LatencySketch.of([144_000_000]).bins


@pytest.mark.parametrize("count", [1_000, 100_000])
def test_its_size_does_not_grow_with_what_it_counted(count: int) -> None:
    rng = dice(5)
    sketch = LatencySketch.of(rng.lognormvariate(7, 0.8) for _ in range(count))
    assert sketch.count == count
    assert len(sketch.to_bytes()) < 1500
