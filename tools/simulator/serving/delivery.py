"""Putting a reply on the wire, well or as badly as a fault rule wants it."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from tools.simulator.state.faults import FaultRule
from tools.simulator.wire import Reply

Message = MutableMapping[str, Any]
_CHUNK_BYTES = 16384
_LINGER_NONE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Wire:
    """One request's connection."""

    receive: Callable[[], Awaitable[Message]]
    send: Callable[[Message], Awaitable[None]]
    transport: asyncio.Transport

    async def body(self) -> bytes:
        parts: list[bytes] = []
        more = True
        while more:
            message = await self.receive()
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        return b"".join(parts)

    async def start(self, reply: Reply, length: int | None) -> None:
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
        if b"content-type" not in (name for name, _ in headers):
            headers.append((b"content-type", reply.content_type.encode()))
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        await self.send({"type": "http.response.start", "status": reply.status, "headers": headers})

    async def part(self, data: bytes, *, more: bool) -> None:
        await self.send({"type": "http.response.body", "body": data, "more_body": more})

    async def until_gone(self) -> None:
        """Wait for the other side (or for our own close) to end the connection."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def reset(self) -> None:
        """Break the connection with a TCP RST."""
        raw: socket.socket = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self.transport.abort()
        await self.until_gone()

    async def close(self) -> None:
        """Send what is written, then close."""
        self.transport.close()
        await self.until_gone()


async def deliver(reply: Reply, rule: FaultRule | None, wire: Wire) -> None:
    """Answer with `reply`, in the manner of `rule` when one applies."""
    match rule.kind if rule else None:
        case "timeout" | "timeout_after":
            await wire.until_gone()
        case "reset" | "reset_after":
            await wire.reset()
        case "truncate":
            await wire.start(reply, len(reply.body))
            await wire.part(reply.body[: len(reply.body) // 2], more=True)
            await wire.close()
        case "drip" if rule:
            await wire.start(reply, len(reply.body))
            await _drip(reply.body, rule, wire)
        case _:
            await _send(reply, wire)


async def _send(reply: Reply, wire: Wire) -> None:
    if reply.stream is not None:
        await wire.start(reply, None)
        async for part in reply.stream():
            await wire.part(part, more=True)
        await wire.part(b"", more=False)
        return
    await wire.start(reply, None if reply.chunked else len(reply.body))
    step = _CHUNK_BYTES if reply.chunked else max(1, len(reply.body))
    for at in range(0, len(reply.body), step):
        await wire.part(reply.body[at : at + step], more=True)
    await wire.part(b"", more=False)


async def _drip(body: bytes, rule: FaultRule, wire: Wire) -> None:
    step = max(1, -(-len(body) // rule.chunks))
    for at in range(0, len(body), step):
        await wire.part(body[at : at + step], more=True)
        await asyncio.sleep(rule.seconds_per_chunk)
    await wire.part(b"", more=False)
