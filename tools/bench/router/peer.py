"""`python -m tools.bench.router.peer URL`, in LiteLLM's own environment: its Router over five keys, as documented."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from litellm import Router  # type: ignore[import-not-found] # lives in an environment of its own

from tools.bench.router.bare import bare_calls
from tools.bench.router.cpu import report

KEYS = 5


def routed_calls(url: str) -> Callable[[int], None]:
    """Makes so many requests for speech through the router."""
    router = Router(model_list=[_deployment(url, number) for number in range(KEYS)])
    loop = asyncio.new_event_loop()

    async def speak(count: int) -> None:
        for number in range(count):
            answer = await router.aspeech(model="speech", input=f"text {number}", voice="alloy", response_format="mp3")
            if not answer.content:
                raise RuntimeError("the server said nothing: nothing would be measured")

    return lambda count: loop.run_until_complete(speak(count))


def _deployment(url: str, number: int) -> dict[str, object]:
    parameters = {"model": "openai/tts-1", "api_base": f"{url}/v1", "api_key": f"instant-openai-key-{number}"}
    return {"model_name": "speech", "litellm_params": parameters}


if __name__ == "__main__":
    report(bare_calls(sys.argv[1]), routed_calls(sys.argv[1]))
