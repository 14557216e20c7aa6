"""An independent vendor: OpenAI's speech over loopback, a token bucket for each key, fifty milliseconds a call.

`python -m tools.bench.overload.server RATE BURST` prints its port. It shares no code with either side, and counts what
it was asked. A key whose name begins with `silent` is refused without saying for how long.

POST /control {"reject": [key], "exhaust": [key]}: these keys are refused from now on, as unknown or without balance.
POST /tally {"keys": [key]}: `served` and `refused`, the moments of their calls (unix seconds), and `excess`, by how
    many calls at worst one of them was asked for more than its bucket held.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any

SERVICE_SECONDS = 0.05
SILENT = "silent"
# ID3, and nothing to hear: enough for clients that look what it is.
SPEECH = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" + bytes(413)
HTTP_OK, UNAUTHORIZED, TOO_MANY = 200, 401, 429


@dataclass
class Key:
    """A key's bucket, and what became of its calls."""

    rate: float
    burst: float
    tokens: float
    at: float
    debt: float = 0.0
    excess: float = 0.0
    refusal: str = ""
    served: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def call(self, now: float) -> float:
        """Seconds until there would be a token; none when there was one."""
        gained = (now - self.at) * self.rate
        self.at = now
        self.debt = max(0.0, self.debt - gained) + 1.0
        self.excess = max(self.excess, self.debt - self.burst)
        self.tokens = min(self.burst, self.tokens + gained)
        if self.tokens >= 1.0:
            self.tokens -= 1.0
            return 0.0
        return (1.0 - self.tokens) / self.rate


class Vendor:
    """All keys."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._keys: dict[str, Key] = {}

    def key(self, name: str) -> Key:
        """A key, known from its first call on."""
        return self._keys.setdefault(name, Key(self._rate, self._burst, self._burst, time.time()))

    def control(self, orders: dict[str, list[str]]) -> None:
        """Refuse keys from now on."""
        for order, names in orders.items():
            for name in names:
                self.key(name).refusal = order

    def tally(self, names: list[str]) -> dict[str, Any]:
        """What became of their calls."""
        keys = [self.key(name) for name in names]
        return {
            "served": sorted(at for key in keys for at in key.served),
            "refused": sorted(at for key in keys for at in key.refused),
            "excess": max(key.excess for key in keys),
        }

    async def speak(self, name: str) -> bytes:
        """Answer a call for speech."""
        key, now = self.key(name), time.time()
        if key.refusal == "reject":
            return _refusal(UNAUTHORIZED, "invalid_request_error", "invalid_api_key", "")
        if key.refusal == "exhaust":
            return _refusal(TOO_MANY, "insufficient_quota", "insufficient_quota", "")
        wait = key.call(now)
        if wait:
            key.refused.append(now)
            told = f"Retry-After: {math.ceil(wait)}\r\nRetry-After-Ms: {math.ceil(1000 * wait)}\r\n"
            return _refusal(TOO_MANY, "requests", "rate_limit_exceeded", "" if name.startswith(SILENT) else told)
        key.served.append(now)
        await asyncio.sleep(SERVICE_SECONDS)
        return _response(HTTP_OK, "audio/mpeg", SPEECH)


def _refusal(status: int, kind: str, code: str, headers: str) -> bytes:
    body = {"error": {"message": "refused", "type": kind, "param": None, "code": code}}
    return _response(status, "application/json", json.dumps(body).encode(), headers)


def _response(status: int, kind: str, body: bytes, headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


async def _serve(vendor: Vendor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            path = head[0].split()[1]
            if path == "/control":
                vendor.control(json.loads(body))
                answer = _response(HTTP_OK, "application/json", b"{}")
            elif path == "/tally":
                told = json.dumps(vendor.tally(json.loads(body)["keys"])).encode()
                answer = _response(HTTP_OK, "application/json", told)
            else:
                answer = await vendor.speak(headers.get("authorization", "").removeprefix("Bearer "))
            writer.write(answer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _main() -> None:
    vendor = Vendor(float(sys.argv[1]), float(sys.argv[2]))
    server = await asyncio.start_server(lambda reader, writer: _serve(vendor, reader, writer), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
