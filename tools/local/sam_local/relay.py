"""Lets containers reach servers that listen on the host's loopback only.

`sam local invoke --docker-network host` leaves the container on Docker's bridge, where 127.0.0.1 is the container's own
(SAM CLI 1.170). So each port is offered once more, on the bridge's own address: this host and its containers see it,
the network does not.
"""

import json
import socket
import socketserver
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_network
from threading import Thread

from tools.localaws.ports import LOOPBACK

CHUNK = 65_536


class _Connection(socketserver.BaseRequestHandler):
    """One connection from a container, copied to and from the server until either side ends it."""

    request: socket.socket

    def handle(self) -> None:
        _, port = self.request.getsockname()
        with socket.create_connection((LOOPBACK, port)) as far:
            back = Thread(target=_copy, args=(far, self.request), daemon=True)
            back.start()
            _copy(self.request, far)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Everything that comes, until the source has no more to say; then the target is told so."""
    with suppress(ConnectionError):
        while data := source.recv(CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class _Relay(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def bridge_address() -> str:
    """The host's address on Docker's default bridge."""
    query = ["docker", "network", "inspect", "bridge", "--format", "{{json (index .IPAM.Config 0)}}"]
    done = subprocess.run(query, capture_output=True, text=True, check=True)  # noqa: S603  (fixed command)
    found = json.loads(done.stdout)
    # An engine that chose the address itself tells the network alone; it takes the first address for the host.
    return str(found.get("Gateway") or next(ip_network(found["Subnet"]).hosts()))


@contextmanager
def reachable(ports: Iterable[int]) -> Iterator[str]:
    """Offer these loopback ports to containers for a while; gives the address under which they find them."""
    address = bridge_address()
    with ExitStack() as open_relays:
        for port in set(ports):
            relay = open_relays.enter_context(_Relay((address, port), _Connection))
            open_relays.callback(relay.shutdown)
            Thread(target=relay.serve_forever, daemon=True).start()
        yield address
