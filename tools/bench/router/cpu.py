"""CPU time of two ways to make the same call, in turns. Standard library only: the peer's environment runs it too."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable

BLOCKS = 8
CALLS = 60
WARM_UP = 40


def report(bare: Callable[[int], None], routed: Callable[[int], None]) -> None:
    """Print what each call adds to the bare one: `{"milliseconds": …}` of this process's CPU, all threads counted.

    Both take how often to call. Blocks take turns, and the median of their differences counts.
    """
    bare(WARM_UP)
    routed(WARM_UP)
    gc.collect()
    print(json.dumps({"milliseconds": statistics.median(_block(routed) - _block(bare) for _ in range(BLOCKS))}))


def _block(calls: Callable[[int], None]) -> float:
    started = time.process_time()
    calls(CALLS)
    return 1000 * (time.process_time() - started) / CALLS
