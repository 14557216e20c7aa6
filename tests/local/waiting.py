"""Waiting for the local stack: for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import Any

POLL_SECONDS = 0.05
PATIENCE = 900.0  # ends a hang, and measures nothing


def until(condition: Callable[[], Any], max_wait: float = PATIENCE) -> Any:
    """Poll until the condition gives something true, and return it; fail when patience runs out."""
    deadline = time.monotonic() + max_wait
    while not (found := condition()):
        assert time.monotonic() < deadline, f"nothing came of it in {max_wait} s"
        time.sleep(POLL_SECONDS)
    return found
