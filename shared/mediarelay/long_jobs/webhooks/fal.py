"""fal's webhooks: which headers sign one, and what exactly is signed. Checking a signature is an adapter's work.

A webhook is a hint and no more: the state of a job is read from the queue itself, with the job's own key. It lies here
and not in the vendor's folder, since who receives a webhook calls no vendor and imports none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from mediarelay.providers.json_reading import items, json_object, mapping, text
from mediarelay.vocabulary.frozen import frozen

# Both ways: fal's clock and ours may differ.
TOLERANCE_SECONDS: Final = 300
# An answer with URLs has a few KB; a larger one is not fal's.
BODY_LIMIT_BYTES: Final = 256 * 1024
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_PREFIX: Final = "x-fal-webhook-"
_LONGEST_HEADER: Final = 256


@frozen
class SignedCall:
    """One delivery.

    Attributes:
        request_id: The job, as fal's queue calls it.
        signature: Ed25519, over `message`.
        message: What fal says it has signed.
    """

    request_id: str
    signature: bytes
    message: bytes


def signed_call(headers: Mapping[str, str], body: bytes, *, now: float) -> SignedCall | None:
    """Read a delivery; None when a header is missing, malformed, or of another time.

    Args:
        headers: With names in lower case.
        body: As it came, byte for byte.
        now: Unix seconds.
    """
    request_id, user_id, moment, signature = (
        headers.get(f"{_PREFIX}{name}", "") for name in ("request-id", "user-id", "timestamp", "signature")
    )
    named = all(0 < len(each) <= _LONGEST_HEADER and each.isprintable() for each in (request_id, user_id))
    sealed = _unhexed(signature)
    if not named or sealed is None or not _fresh(moment, now):
        return None
    message = "\n".join((request_id, user_id, moment, hashlib.sha256(body).hexdigest()))
    return SignedCall(request_id, sealed, message.encode())


def public_keys(document: bytes) -> Sequence[bytes]:
    """The Ed25519 keys of a JWKS document, 32 bytes each; those of other kinds are passed over."""
    keys = (_key(mapping(each)) for each in items(json_object(document).get("keys")))
    return [key for key in keys if key is not None]


def _key(entry: Mapping[str, object]) -> bytes | None:
    if entry.get("kty") != "OKP" or entry.get("crv") != "Ed25519":
        return None
    encoded = text(entry.get("x"))
    try:
        key = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def _unhexed(signature: str) -> bytes | None:
    try:
        sealed = bytes.fromhex(signature)
    except ValueError:
        return None
    return sealed if len(sealed) == SIGNATURE_BYTES else None


def _fresh(moment: str, now: float) -> bool:
    digits = moment.isascii() and moment.isdigit() and len(moment) < 16  # noqa: PLR2004 - more is no moment of ours
    return digits and abs(now - int(moment)) <= TOLERANCE_SECONDS
