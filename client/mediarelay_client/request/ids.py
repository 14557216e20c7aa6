"""Ids of requests: fresh ones, and those that follow from what is asked."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS: Final = 80
_ULID_LENGTH: Final = 26
_CONTENT_DIGITS: Final = 24


def fresh_id(client: str) -> str:
    """Return `<client>-<ulid>`: nobody's yet, and sorted by the moment it was made."""
    number = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    digits = (_ALPHABET[number >> (5 * place) & 31] for place in reversed(range(_ULID_LENGTH)))
    return f"{client}-{''.join(digits)}"


def content_id(tenant: str | None, line: Mapping[str, Any], occurrence: int, salt: str) -> str:
    """Return the id of a line of a batch: the same line is the same job, wherever and whenever it is run again."""
    text = json.dumps([tenant, line, occurrence, salt], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"b-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:_CONTENT_DIGITS]}"
