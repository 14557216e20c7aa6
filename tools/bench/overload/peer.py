"""`python -m tools.bench.overload.peer default|best`, in LiteLLM's own environment: its Router as callers use it.

Each line of its input is a run; it answers with one line. A request starts at its moment whatever became of the ones
before, as in our queue. Standard library only, beside litellm.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from importlib import import_module, metadata
from typing import Any

# The best found: more at a time meets more refusals, a longer cooldown idles, and its own retries within a call repeat
# what the router repeats.
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {"router": {}, "deployment": {}},
    "best": {
        "router": {"routing_strategy": "simple-shuffle", "cooldown_time": 0.5},
        "deployment": {"max_parallel_requests": 1, "max_retries": 0},
    },
}
# What has not come back this long after the last arrival has not been served.
MAX_WAIT_SECONDS = 3.0


async def run(litellm: Any, settings: dict[str, Any], order: dict[str, Any]) -> dict[str, int]:
    """One run: how many requests were served, failed to their caller, or had not come back."""
    parameters = {"model": "openai/tts-1", "api_base": f"{order['url']}/v1", **settings["deployment"]}
    deployments = [{"model_name": "speech", "litellm_params": {**parameters, "api_key": key}} for key in order["keys"]]
    router = litellm.Router(model_list=deployments, **settings["router"])
    calls: list[asyncio.Task[None]] = []
    for arrival in order["arrivals"]:
        await asyncio.sleep(max(0.0, order["start"] + arrival - time.time()))
        calls.append(asyncio.create_task(_speak(router, len(calls))))
    done, late = await asyncio.wait(calls, timeout=MAX_WAIT_SECONDS)
    for call in late:
        call.cancel()
    served = sum(call.exception() is None for call in done)  # whatever it raises is what its caller gets
    return {"served": served, "failed": len(done) - served, "unfinished": len(late)}


async def _speak(router: Any, number: int) -> None:
    answer = await router.aspeech(model="speech", input=f"text {number}", voice="alloy")
    if not answer.content:
        raise RuntimeError("the server said nothing")


def main() -> None:
    """Serve runs until the input ends."""
    logging.disable(logging.CRITICAL)
    litellm: Any = import_module("litellm")  # slow, and not in our own environment
    litellm.suppress_debug_info = True
    print(metadata.version("litellm"), flush=True)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(run(litellm, SETTINGS[sys.argv[1]], json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
