"""The limits that keys draw on, as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping

from mediarelay.api.contract import KeyLimit
from mediarelay.keys.contract import PoolKey, PoolState
from mediarelay.limits.gcra import LimitState
from mediarelay.limits.ports import LimitStore
from mediarelay.limits.watch import held


def key_limits(store: LimitStore, pool: PoolState, providers: list[str], now: float) -> Mapping[str, list[KeyLimit]]:
    """Return the limits of each key of a pool, by its id: one read for each provider. Raises `StoreUnavailable`."""
    owners = sorted({member.account for member in pool.members})
    states = {name: store.look(name, [owners]) for name in providers} if owners else {}
    return {
        member.key_id: [
            _limit(name, known[member.account], member, now)
            for name, known in states.items()
            if member.account in known
        ]
        for member in pool.members
    }


def _limit(provider: str, state: LimitState, member: PoolKey, now: float) -> KeyLimit:
    rate = held(state.pace, now) if state.pace is not None else None
    until = state.blocked_until(member.key_id)
    return KeyLimit(
        provider=provider,
        per_minute=round(60 * rate, 1) if rate is not None else None,
        taken=state.used,
        refused=state.refused,
        at_work=sum(end > now for end in state.slots.values()),
        blocked_until=until if until > now else None,
    )
