"""LiteLLM's router submits jobs through a group of keys, then polls each of them through the group.

`python litellm_polls.py BASE_URL KEYS JOBS`, in a Python that has litellm; prints how many polls were lost.
Routed as its documentation has it: the group's name as the model, retries off, nothing remembered but the id.
"""

import asyncio
import json
import logging
import sys
from importlib import import_module, metadata
from typing import Any


async def main(base_url: str, keys: int, jobs: int) -> dict[str, object]:
    litellm: Any = import_module("litellm")  # slow, and not in our own environment
    logging.disable(logging.CRITICAL)
    litellm.suppress_debug_info = True
    deployments = [
        {
            "model_name": "clips",
            "litellm_params": {
                "model": "openai/sora-2",
                "api_key": f"fake-key-{number}",
                "api_base": base_url,
                "max_retries": 0,
            },
        }
        for number in range(keys)
    ]
    router = litellm.Router(model_list=deployments, num_retries=0, disable_cooldowns=True)
    ids = [(await router.avideo_generation(model="clips", prompt=f"clip {number}")).id for number in range(jobs)]
    lost = 0
    for video_id in ids:
        try:
            await router.avideo_status(model="clips", video_id=video_id)
        except (litellm.NotFoundError, litellm.BadRequestError):  # it reports a 404 as either
            lost += 1
    return {"polls": len(ids), "lost": lost, "version": metadata.version("litellm")}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
