"""The service that handles messages, with nothing behind it but an end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.sqs import SqsRequests
from mediarelay.serving.serve import ServeEnd
from tests.doubles.clock import ManualClock
from tests.doubles.recording import MemoryCounters


def dispatch_service(queue: SqsRequests, end: ServeEnd, clock: ManualClock) -> DispatchService:
    """Every job comes to this end; every rejection is recorded."""
    parts: dict[str, Any] = {
        "router": SimpleNamespace(routes=lambda *_, **__: []),
        "server": SimpleNamespace(serve=lambda *_, **__: end, most_bytes=10**9),
        "jobs": SimpleNamespace(reject=lambda _: True, get=lambda _: None),
        "seldom": SimpleNamespace(
            lost_queue="lost", front_queue="", callback_hosts=(), keep=None, counters=MemoryCounters()
        ),
    }
    return DispatchService(queue=queue, clock=clock, **parts)
