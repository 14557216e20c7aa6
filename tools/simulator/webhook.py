"""fal's webhooks, signed as fal signs them, and delivered to receivers on this machine."""

import asyncio
import base64
import hashlib
import json
import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests
from nacl.signing import SigningKey

_LOG = logging.getLogger(__name__)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TIMEOUT_SECONDS = 15
_PAUSES_SECONDS = (0.0, 0.2, 1.0)
_USER_ID = "simulated-user"
_KEY = SigningKey.generate()  # a new one for each process


def acceptable(url: str) -> bool:
    """Whether the simulator will call this address: plain http to loopback, so that nothing leaves the machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


def key_set() -> dict[str, Any]:
    """The public half of the signing key, as a JWKS document."""
    public = base64.urlsafe_b64encode(bytes(_KEY.verify_key)).decode().rstrip("=")
    return {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": public}]}


def signature(request_id: str, body: bytes, *, now: float, key: SigningKey = _KEY) -> dict[str, str]:
    """The headers that go with a body; *now* in unix seconds."""
    moment = str(int(now))
    message = "\n".join((request_id, _USER_ID, moment, hashlib.sha256(body).hexdigest()))
    return {
        "X-Fal-Webhook-Request-Id": request_id,
        "X-Fal-Webhook-User-Id": _USER_ID,
        "X-Fal-Webhook-Timestamp": moment,
        "X-Fal-Webhook-Signature": key.sign(message.encode()).signature.hex(),
    }


async def post(url: str, payload: dict[str, Any], *, clock: Callable[[], float] = time.time) -> bool:
    """Deliver until a 2xx comes back, three tries at most; False when it never did. Each try is signed anew."""
    for pause in _PAUSES_SECONDS:
        await asyncio.sleep(pause)
        if await asyncio.to_thread(_attempt, url, payload, clock()):
            return True
    return False


def _attempt(url: str, payload: dict[str, Any], now: float) -> bool:
    body = json.dumps(payload).encode()
    headers = {"content-type": "application/json", **signature(payload["request_id"], body, now=now)}
    try:
        return requests.post(url, data=body, headers=headers, timeout=_TIMEOUT_SECONDS).ok
    except requests.RequestException as error:
        _LOG.warning("webhook receiver did not answer: %s", error)
        return False
