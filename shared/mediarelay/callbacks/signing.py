"""What a receiver gets, and by what it knows that it is ours: Standard Webhooks 1.0 (standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

PREFIX: Final = "whsec_"
# The specification's bounds of a secret.
SECRET_BYTES: Final = range(24, 65)
SECRETS_LIMIT: Final = 2  # the one that is valid and, while it is replaced, the other
# What is none is not told: somebody may have written a secret there.
_HOST: Final = re.compile(r"(?=.{1,253}$)([a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{0,62}")
NO_HOST: Final = "a name that is no host"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The specification asks for payloads of up to 20 KB.
BODY_LIMIT_BYTES: Final = 20_000
_THIN: Final = ("version", "event_id", "request_id", "job_id", "kind", "status", "tenant", "settled_at")


class UnusableSecret(ValueError):
    """A secret of another form; its message doesn't hold it."""


def secret_bytes(written: str) -> bytes:
    """Return the key that a secret stands for. Raises `UnusableSecret`."""
    try:
        key = base64.b64decode(written.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not written.startswith(PREFIX) or len(key) not in SECRET_BYTES:
        raise UnusableSecret(f"must be {PREFIX} and {SECRET_BYTES[0]} to {SECRET_BYTES[-1]} bytes in base64")
    return key


def secrets_by_host(document: object) -> tuple[dict[str, tuple[bytes, ...]], dict[str, str]]:
    """Return the keys of each host, the newest first, and what is wrong with those that are left out."""
    keys, faults = {}, {}
    for name, written in (document if isinstance(document, dict) else {}).items():
        host = name.lower()
        if not _HOST.fullmatch(host):
            faults[NO_HOST] = "must be such as hooks.example.com; each host has secrets of its own"
            continue
        if not isinstance(written, list) or not 1 <= len(written) <= SECRETS_LIMIT:
            faults[host] = f"must be a list of one or {SECRETS_LIMIT} secrets"
            continue
        try:
            keys[host] = tuple(secret_bytes(str(one)) for one in written)
        except UnusableSecret as error:
            faults[host] = str(error)
    shared: dict[bytes, str] = {}
    for host, of_host in sorted(keys.items()):
        for key in of_host:
            other = shared.setdefault(key, host)
            if other != host:
                faults[host] = f"is the secret of {other} too; who knows it could speak for us there"
    return {host: of_host for host, of_host in keys.items() if host not in faults}, faults


def webhook_id(event_id: str) -> str:
    """Return the id of a callback: the same for every try. An event's own may hold a dot, which no such id may."""
    return f"evt_{hashlib.sha256(event_id.encode()).hexdigest()[:32]}"


def payload(event: Mapping[str, Any], *, thin: bool) -> dict[str, Any]:
    """Return the body: all of a result event, or its ids. Where that is too long, the attempts are only counted."""
    settled = _EPOCH + timedelta(milliseconds=event["settled_at"])
    data = {name: event[name] for name in _THIN if name in event} if thin else dict(event)
    body = {
        "type": "media.settled",
        "timestamp": settled.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": data,
    }
    if not thin and len(json.dumps(body)) > BODY_LIMIT_BYTES:
        body["data"] = {**data, "attempts": [], "attempts_left_out": len(event.get("attempts", ()))}
    return body


def signed_headers(identity: str, at: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """Return the headers of a try at that moment (unix seconds): one signature for each of the host's keys."""
    signed = b".".join((identity.encode(), str(at).encode(), body))
    signatures = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }
