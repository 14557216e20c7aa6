"""An independent vendor: OpenAI's speech over loopback, a token bucket for each key, fifty milliseconds a call.

`python -m tools.bench.overload.server RATE BURST` prints its URL. It shares no code with either side, and counts what
it was asked. A key whose name begins with `silent` is refused without saying for how long.

POST /control {"reject": [key], "exhaust": [key]}: these keys are refused from now on, as unknown or without balance.
POST /tally {"keys": [key]}: `served` and `refused`, the moments of their calls (unix seconds), and `excess`, by how
    many calls at worst one of them was asked for more than its bucket held.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tools.http_server import run

SERVICE_SECONDS = 0.05
SILENT = "silent"
# ID3, and nothing to hear: enough for clients that look what it is.
SPEECH = b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\xff\xfb\x90\x00" + bytes(413)
UNAUTHORIZED, TOO_MANY = 401, 429


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

    async def speak(self, name: str) -> Response:
        """Answer a call for speech."""
        key, now = self.key(name), time.time()
        if key.refusal == "reject":
            return _refusal(UNAUTHORIZED, "invalid_request_error", "invalid_api_key")
        if key.refusal == "exhaust":
            return _refusal(TOO_MANY, "insufficient_quota", "insufficient_quota")
        wait = key.call(now)
        if wait:
            key.refused.append(now)
            told = {"Retry-After": str(math.ceil(wait)), "Retry-After-Ms": str(math.ceil(1000 * wait))}
            return _refusal(TOO_MANY, "requests", "rate_limit_exceeded", {} if name.startswith(SILENT) else told)
        key.served.append(now)
        await asyncio.sleep(SERVICE_SECONDS)
        return Response(SPEECH, media_type="audio/mpeg")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as an ASGI application."""
        request = Request(scope, receive)
        answer: Response
        if request.url.path == "/control":
            self.control(await request.json())
            answer = JSONResponse({})
        elif request.url.path == "/tally":
            answer = JSONResponse(self.tally((await request.json())["keys"]))
        else:
            await request.body()
            answer = await self.speak(request.headers.get("authorization", "").removeprefix("Bearer "))
        await answer(scope, receive, send)


def _refusal(status: int, kind: str, code: str, headers: dict[str, str] | None = None) -> Response:
    body = {"error": {"message": "refused", "type": kind, "param": None, "code": code}}
    return JSONResponse(body, status, headers)


if __name__ == "__main__":
    run(Vendor(float(sys.argv[1]), float(sys.argv[2])))
