"""The ASGI application: admin paths to Starlette, all others to the vendors."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import Receive, Scope, Send

from tools.simulator.config import SimulatorConfig
from tools.simulator.state.world import World
from tools.simulator.vendors import VENDORS

from .control import Control
from .delivery import Wire
from .gateway import Gateway

TRANSPORT = "simulator.transport"

AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


def build_app(config: SimulatorConfig) -> AsgiApp:
    """An application for the protocol in `server.py`, which puts the transport into the scope."""
    world = World(config)
    gateway = Gateway(world, VENDORS)
    control = Control(world, VENDORS).app()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            await control(scope, receive, send)
        else:
            await gateway.serve(scope, Wire(receive, send, scope[TRANSPORT]))

    return app
