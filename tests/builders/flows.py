"""A failover flow played to its end, by a script in place of keys and providers."""

from __future__ import annotations

from collections.abc import Callable

from mediarelay.serving.failover import Ending, Flow, Reply, Step


def ending_of(flow: Flow, reply: Callable[[Step], Reply]) -> Ending:
    """Answers each step of the flow by *reply*. Returns how it ends."""
    try:
        step = next(flow)
        while True:
            step = flow.send(reply(step))
    except StopIteration as stop:
        ending: Ending = stop.value
        return ending
