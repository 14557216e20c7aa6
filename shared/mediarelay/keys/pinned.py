"""A job is polled, fetched and cancelled with the key that submitted it, whatever has happened to that key since."""

from __future__ import annotations

from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.pools import KeyPools


def pinned_key(keys: KeyPools, vendor: str, key_id: str, account: str) -> ApiKey | None:
    """Return the key to poll, fetch and cancel with; None when the account has no key left.

    A disabled, exhausted or cooling key takes no new work and still drains its jobs. Only if it was removed, or is
    rejected by the vendor, a sibling of the same account takes over: to other accounts the job does not exist.
    """
    own: ApiKey | None = None
    siblings: list[ApiKey] = []
    for key in keys.keys_of(vendor):
        if key.entry.key_id == key_id:
            own = key
        elif key.entry.account == account:
            siblings.append(key)
    for key in siblings if own is None else (own, *siblings):
        if not keys.rejected(key):
            return key
    return own
