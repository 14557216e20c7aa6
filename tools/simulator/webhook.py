"""Delivery of webhooks to receivers on this machine."""

import asyncio
import logging
from typing import Any
from urllib.parse import urlsplit

import requests

_LOG = logging.getLogger(__name__)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TIMEOUT_SECONDS = 15
_PAUSES_SECONDS = (0.0, 0.2, 1.0)


def acceptable(url: str) -> bool:
    """Whether the simulator will call this address: plain http to loopback, so that nothing leaves the machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


async def post(url: str, payload: dict[str, Any]) -> bool:
    """Deliver until a 2xx comes back, three tries at most; False when it never did."""
    for pause in _PAUSES_SECONDS:
        await asyncio.sleep(pause)
        if await asyncio.to_thread(_attempt, url, payload):
            return True
    return False


def _attempt(url: str, payload: dict[str, Any]) -> bool:
    try:
        return requests.post(url, json=payload, timeout=_TIMEOUT_SECONDS).ok
    except requests.RequestException as error:
        _LOG.warning("webhook receiver did not answer: %s", error)
        return False
