"""Which key sees to a job: its own, whatever has become of it, or at need a sibling of its account."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from mediarelay.keys.parsing import keys_from
from mediarelay.keys.pinned import pinned_key
from mediarelay.keys.pool import RoundRobin
from mediarelay.keys.pools import KeyPools
from mediarelay.keys.states import KeyStatus
from mediarelay.metrics.writer import TelemetryWriter
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.key_pools import operator
from tests.doubles.clock import ManualClock
from tests.doubles.keys import FixedKeys, MemoryKeyStates

KEYS = keys_from(
    {
        "KLING_API_KEYS": [
            {"key": "fake-kling-key-0000", "account": "studio"},
            {"key": "fake-kling-key-0001", "account": "studio"},
            {"key": "fake-kling-key-0002", "account": "spare"},
        ]
    }
)
OWN, SIBLING, STRANGER = KEYS["kling"]
REFUSED = Failure(Outcome.KEY_REJECTED, "1002")


@pytest.fixture
def source() -> FixedKeys:
    return FixedKeys(KEYS)


@pytest.fixture
def ring(source: FixedKeys) -> KeyPools:
    states = MemoryKeyStates()
    telemetry = TelemetryWriter(states, [])
    rng = Random(1)
    ring = KeyPools(source, states, None, telemetry, clock=ManualClock(), rng=rng, policy=RoundRobin)
    ring.refresh()
    return ring


def pinned(ring: KeyPools) -> str | None:
    found = pinned_key(ring, "kling", OWN.entry.key_id, "studio")
    return found.entry.key_id if found else None


def test_a_job_is_seen_to_by_the_key_that_submitted_it(ring: KeyPools) -> None:
    assert pinned(ring) == OWN.entry.key_id


@pytest.mark.parametrize("outcome", [Outcome.THROTTLED, Outcome.QUOTA_EXHAUSTED, Outcome.PERMISSION_DENIED])
def test_a_key_that_takes_no_new_work_drains_its_own(ring: KeyPools, outcome: Outcome) -> None:
    ring.noticed(OWN, "kling-video", Failure(outcome, "x"))
    assert ring.usable("kling", "kling-video") < len(KEYS["kling"])
    assert pinned(ring) == OWN.entry.key_id


def test_a_disabled_key_drains_its_own(ring: KeyPools) -> None:
    now = ManualClock().now()
    disabled = replace(operator(OWN.entry.key_id, KeyStatus.DISABLED, now=now), vendor="kling")
    assert ring._vendors["kling"].pool.merge([disabled], now=now)
    assert pinned(ring) == OWN.entry.key_id


def test_a_rejected_key_hands_over_to_a_sibling_of_its_account(ring: KeyPools) -> None:
    ring.noticed(OWN, "kling-video", REFUSED)
    assert pinned(ring) == SIBLING.entry.key_id


def test_a_removed_key_hands_over_to_a_sibling_of_its_account(ring: KeyPools, source: FixedKeys) -> None:
    source.keys = {"kling": (SIBLING, STRANGER)}
    ring.refresh()
    assert pinned(ring) == SIBLING.entry.key_id


def test_another_account_is_never_asked(ring: KeyPools, source: FixedKeys) -> None:
    source.keys = {"kling": (STRANGER,)}
    ring.refresh()
    assert pinned(ring) is None


def test_a_rejected_key_without_siblings_is_all_there_is(ring: KeyPools, source: FixedKeys) -> None:
    lonely = replace(OWN, entry=replace(OWN.entry, account="studio"))
    source.keys = {"kling": (lonely, STRANGER)}
    ring.refresh()
    ring.noticed(lonely, "kling-video", REFUSED)
    assert pinned(ring) == OWN.entry.key_id
