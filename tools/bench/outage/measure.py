"""Both halves: beside a peer, and on the local stack."""

from __future__ import annotations

from collections.abc import Iterator

from tools.bench.outage import beside_peer, on_stack
from tools.bench.result import Measurement


def measure() -> Iterator[Measurement]:
    """See the two modules."""
    yield from beside_peer.measure()
    yield from on_stack.measure()
