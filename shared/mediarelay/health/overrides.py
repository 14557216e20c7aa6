"""What operators force, as a verdict for the workers."""

from __future__ import annotations

from mediarelay.health.contract import Override
from mediarelay.keys.contract import PoolKey
from mediarelay.keys.states import DISABLED_CODE, ENABLED_CODE, KeyStatus, KeyVerdict


def operator_verdict(vendor: str, member: PoolKey, override: Override | None, now: float) -> KeyVerdict:
    """Return what an operator has forced on a key, as a verdict for the workers."""
    return KeyVerdict(
        vendor=vendor,
        key_id=member.key_id,
        account=member.account,
        provider=None,
        status=KeyStatus.DISABLED if override else KeyStatus.ACTIVE,
        until=override.expires_at if override else None,
        strikes=0,
        code=DISABLED_CODE if override else ENABLED_CODE,
        observed_at=now,
        spreads=False,
    )
