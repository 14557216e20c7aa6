"""Ed25519 signatures, by libsodium."""

from __future__ import annotations

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """See `long_jobs.webhooks.ports.SignatureCheck`. The key has 32 bytes, the signature 64."""
    try:
        VerifyKey(key).verify(message, signature)
    except BadSignatureError:
        return False
    return True
