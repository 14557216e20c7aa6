from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.keys.pool import Candidate, PowerOfTwoChoices, RotationPolicy, RoundRobin


def dice(seed: int = 1) -> Random:
    return Random(seed)


def candidates(*weights: float, in_flight: int = 0) -> list[Candidate]:
    return [Candidate(f"key-{index}", weight, in_flight) for index, weight in enumerate(weights)]


def turns(policy: RotationPolicy, among: list[Candidate], count: int, *, ring: str = "p", seed: int = 1) -> list[str]:
    rng = dice(seed)
    return [policy.choose(ring, among, rng).key_id for _ in range(count)]


@settings(deadline=None, max_examples=40)
@given(keys=st.integers(1, 9), count=st.integers(1, 60), seed=st.integers())
def test_round_robin_is_fair_within_one_after_any_number_of_turns(keys: int, count: int, seed: int) -> None:
    among = candidates(*[1.0] * keys)
    seen = Counter(turns(RoundRobin(), among, count, seed=seed))
    shares = [seen[each.key_id] for each in among]
    assert max(shares) - min(shares) <= 1


def test_round_robin_follows_the_weights() -> None:
    seen = Counter(turns(RoundRobin(), candidates(5.0, 1.0, 2.0), 800))
    assert seen["key-0"] == pytest.approx(500, abs=2)
    assert seen["key-1"] == pytest.approx(100, abs=2)
    assert seen["key-2"] == pytest.approx(200, abs=2)


def test_a_heavy_key_is_interleaved_and_does_not_come_in_a_burst() -> None:
    order = turns(RoundRobin(), candidates(2.0, 1.0, 1.0), 40)
    assert not any(order[at : at + 3] == ["key-0"] * 3 for at in range(38))


def test_workers_that_start_together_do_not_all_begin_with_the_first_key() -> None:
    firsts = {turns(RoundRobin(), candidates(1.0, 1.0, 1.0), 1, seed=seed)[0] for seed in range(50)}
    assert firsts == {"key-0", "key-1", "key-2"}


def test_two_providers_that_alternate_both_see_every_key() -> None:
    policy, rng, among = RoundRobin(), dice(1), candidates(1.0, 1.0)
    seen = [(ring, policy.choose(ring, among, rng).key_id) for _ in range(4) for ring in ("speech", "image")]
    assert set(seen) == {(ring, each.key_id) for ring in ("speech", "image") for each in among}


def test_rotation_stays_fair_among_the_rest_while_a_key_is_away() -> None:
    policy, among = RoundRobin(), candidates(1.0, 1.0, 1.0)
    turns(policy, among, 7)
    seen = Counter(turns(policy, among[:2], 10))
    assert {4, 5, 6} >= set(seen.values())
    assert sum(seen.values()) == 10


@settings(deadline=None, max_examples=40)
@given(seed=st.integers())
def test_of_two_keys_the_one_with_fewer_calls_in_flight_is_chosen(seed: int) -> None:
    idle, busy = Candidate("idle", 1.0, 0), Candidate("busy", 1.0, 3)
    assert PowerOfTwoChoices().choose("p", [busy, idle], dice(seed)) is idle


@settings(deadline=None, max_examples=40)
@given(seed=st.integers())
def test_load_is_measured_against_the_weight(seed: int) -> None:
    heavy, light = Candidate("heavy", 4.0, 3), Candidate("light", 1.0, 1)
    assert PowerOfTwoChoices().choose("p", [light, heavy], dice(seed)) is heavy


def test_the_busiest_of_many_is_never_chosen_by_two_choices() -> None:
    among = [Candidate("busiest", 1.0, 9), *candidates(1.0, 1.0, 1.0)]
    assert "busiest" not in turns(PowerOfTwoChoices(), among, 200)


def test_two_choices_spread_idle_keys() -> None:
    assert len(set(turns(PowerOfTwoChoices(), candidates(1.0, 1.0, 1.0, 1.0), 100))) == 4


@pytest.mark.parametrize("policy", [RoundRobin(), PowerOfTwoChoices()])
def test_a_single_candidate_is_always_chosen(policy: RotationPolicy) -> None:
    assert turns(policy, candidates(1.0), 3) == ["key-0"] * 3
