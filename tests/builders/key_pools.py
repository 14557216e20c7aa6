"""Pools and failures that the key pool's tests share."""

from __future__ import annotations

from dataclasses import replace

from mediarelay.keys.pool import KeyEntry, KeyPool, RoundRobin
from mediarelay.keys.states import DISABLED_CODE, ENABLED_CODE, KeyStatus, KeyVerdict
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.dice import dice

FLUX, AUDIO = "fal-flux", "fal-stable-audio"
THROTTLED = Failure(Outcome.THROTTLED, "slow_down")
THROTTLED_10S = replace(THROTTLED, wait_seconds=10.0)
QUOTA = Failure(Outcome.QUOTA_EXHAUSTED, "no_balance")
REJECTED = Failure(Outcome.KEY_REJECTED, "bad_key")
DENIED = Failure(Outcome.PERMISSION_DENIED, "no_access")


def pool_of(*keys: str | KeyEntry) -> KeyPool:
    """Keys named `a`, `b`, …, each with an account of its own unless an entry says otherwise."""
    entries = [KeyEntry(key, "fal") if isinstance(key, str) else key for key in keys]
    return KeyPool("fal", entries, policy=RoundRobin(), rng=dice(1))


def of(account: str, key: str, concurrency: int | None = None) -> KeyEntry:
    return KeyEntry(key, "fal", account, concurrency=concurrency)


def operator(key: str, status: KeyStatus, *, now: float) -> KeyVerdict:
    """What an operator forces upon a key with an account of its own, as workers hear it."""
    code = DISABLED_CODE if status is KeyStatus.DISABLED else ENABLED_CODE
    return KeyVerdict("fal", key, key, None, status, None, 0, code, now, spreads=False)


def taken(pool: KeyPool, *, now: float, provider: str = FLUX) -> set[str]:
    """Every key that can be had now; all are given back."""
    seen: set[str] = set()
    while (entry := pool.get_api_key(provider, now=now, avoid=seen)) is not None:
        seen.add(entry.key_id)
    for key in seen:
        pool.release(key)
    return seen
