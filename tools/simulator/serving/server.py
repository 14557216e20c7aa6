"""Listening: the socket, the protocol that hands out its transport, readiness and the end."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tools import http_server
from tools.localaws.ports import LOOPBACK
from tools.simulator.config import SimulatorConfig
from tools.simulator.vendors import VENDORS

from .app import TRANSPORT, build_app

HOST = LOOPBACK


class PortTakenError(Exception):
    """The port can't be listened on, mostly because somebody else does."""


class _TransportProtocol(H11Protocol):
    """Puts the connection's transport into the scope, since faults need to break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = transport
            with contextlib.suppress(asyncio.CancelledError):  # the server stops in the middle of a slow answer
                await inner(scope, receive, send)

        self.app = app


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A caller that is kept waiting on purpose would hold the server up: stopping ends every conversation.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def listen(port: int) -> socket.socket:
    """Listen on loopback; port 0 picks a free one. Raises PortTakenError."""
    try:
        return http_server.listen(port)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PortTakenError(f"port {port} on {HOST} can't be used: {reason}; choose another with --port") from error


def base_urls(port: int) -> dict[str, str]:
    """Environment variable to base URL, for every vendor."""
    return {
        name: f"http://{HOST}:{port}{path}" for vendor in VENDORS.values() for name, path in vendor.base_urls.items()
    }


def serve(sock: socket.socket, config: SimulatorConfig, on_ready: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT."""
    settings = uvicorn.Config(build_app(config), http=_TransportProtocol, **http_server.SETTINGS)
    # uvicorn raises the signal again once it has stopped; stopping when told to is a clean end, so let it pass.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _ignore)
    _Server(settings, on_ready).run(sockets=[sock])


def _ignore(_number: int, _frame: Any) -> None:
    return None
