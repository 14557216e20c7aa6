"""The key that submitted a job sees to it until the end, whatever has become of it since."""

from __future__ import annotations

from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.pools import KeyPools


def pinned_key(keys: KeyPools, vendor: str, key_id: str, account: str) -> ApiKey | None:
    """The key to poll, fetch and cancel with; None when the account has no key left.

    A disabled, exhausted or cooling key takes no new work and still drains its jobs. Only when it was removed, or is
    rejected by the vendor, a sibling of the same account takes over: to other accounts the job does not exist.
    """
    own = [key for key in keys.keys_of(vendor) if key.entry.key_id == key_id]
    siblings = [key for key in keys.keys_of(vendor) if key.entry.account == account and key.entry.key_id != key_id]
    sound = (key for key in (*own, *siblings) if not keys.rejected(key))
    return next(sound, own[0] if own else None)
