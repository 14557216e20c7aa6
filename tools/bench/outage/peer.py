"""`python -m tools.bench.outage.peer URL SETTINGS RATE SECONDS NAME`, in LiteLLM's own environment: its Router, loaded.

Three deployments of one group, each with a key of its own, as its documentation has it. Prints how many requests were
made and how many came back to their caller as an error.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from litellm import Router  # type: ignore[import-not-found] # lives in an environment of its own
from openai import OpenAIError

# Keys of three accounts of the server; the first is the one that will fail.
KEYS = ("outage-key-1", "outage-key-2", "outage-key-3")
SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "ejecting": {"allowed_fails": 2, "cooldown_time": 30},  # the third failure within a minute ejects
}


def main(url: str, settings: str, rate: float, seconds: float, name: str) -> None:
    """Load, and the report."""
    router = Router(model_list=[_deployment(url, key) for key in KEYS], **SETTINGS[settings])
    failed, made = asyncio.run(_load(router, rate, seconds, name))
    print(json.dumps({"made": made, "failed": failed}))


async def _load(router: Router, rate: float, seconds: float, name: str) -> tuple[int, int]:
    """Requests at an even pace, whatever becomes of them."""
    print("ready", flush=True)
    sys.stdin.readline()  # all processes begin together
    started, running = time.monotonic(), []
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
        running.append(asyncio.create_task(_speak(router, f"{name}-{number}")))
    return (await asyncio.gather(*running)).count(False), len(running)


async def _speak(router: Router, text: str) -> bool:
    try:
        answer = await router.aspeech(model="speech", input=text, voice="alloy", response_format="mp3")
    except (OpenAIError, ValueError):  # ValueError: no deployment is left
        return False
    return bool(answer.content)


def _deployment(url: str, key: str) -> dict[str, object]:
    return {"model_name": "speech", "litellm_params": {"model": "openai/tts-1", "api_base": url, "api_key": key}}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
