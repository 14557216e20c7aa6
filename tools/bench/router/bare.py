"""The call itself, by `requests` with a session that is kept: both sides are measured above it."""

from __future__ import annotations

from collections.abc import Callable

import requests


def bare_calls(url: str) -> Callable[[int], None]:
    """Makes so many requests for speech, and reads their answers."""
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = "Bearer instant-openai-key-0"

    def calls(count: int) -> None:
        for number in range(count):
            body = {"model": "tts-1", "input": f"text {number}", "voice": "alloy", "response_format": "mp3"}
            answer = session.post(f"{url}/v1/audio/speech", json=body, timeout=30)
            answer.raise_for_status()
            if not answer.content:
                raise RuntimeError("the server said nothing: nothing would be measured")

    return calls
