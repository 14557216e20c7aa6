"""A small HTTP server on loopback around any ASGI application: beside the caller in a thread, or as a process."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from tools.local.project import ROOT
from tools.localaws.ports import LOOPBACK

_BACKLOG: Final = 2048
# What the servers here have in common; nothing of their own in the headers.
SETTINGS: Final[dict[str, Any]] = {
    "interface": "asgi3",
    "ws": "none",
    "lifespan": "off",
    "log_level": "error",
    "access_log": False,
    "server_header": False,
    "timeout_keep_alive": 60,
    "timeout_graceful_shutdown": 1,
}


def listen(port: int = 0) -> socket.socket:
    """Listen on loopback; port 0 picks a free one. Raises OSError, or OverflowError when there is no such port."""
    # With TCP by name: asyncio turns Nagle's algorithm off for no other, and an answer in two parts takes 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((LOOPBACK, port))
        sock.listen(_BACKLOG)
    except (OSError, OverflowError):
        sock.close()
        raise
    return sock


def url_of(sock: socket.socket) -> str:
    """Return the URL of what listens there, without a slash at its end."""
    return f"http://{LOOPBACK}:{sock.getsockname()[1]}"


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve the application in a thread while the block runs; gives its URL."""
    sock = listen()
    server = uvicorn.Server(uvicorn.Config(app, date_header=False, **SETTINGS))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, name="http server", daemon=True)
    thread.start()
    try:
        yield url_of(sock)
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


def run(app: Any) -> None:
    """Serve as the whole of a process: print the URL, and go on until it is told to end."""
    sock = listen()
    print(url_of(sock), flush=True)
    uvicorn.Server(uvicorn.Config(app, date_header=False, **SETTINGS)).run(sockets=[sock])


@contextmanager
def serving_apart(module: str, *arguments: str) -> Iterator[str]:
    """Start a module that calls `run`, so that its CPU time is not the caller's; gives its URL and ends it."""
    command = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:  # noqa: S603 # ours
        assert started.stdout is not None  # noqa: S101 # a pipe was asked for
        try:
            yield started.stdout.readline().strip()
        finally:
            started.terminate()
