"""One call for speech, without an SDK between the test and the simulator."""

import requests

KEY = "sim-openai-key-1"


def speak(simulator, text="hello", key=KEY, timeout=600):
    body = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "wav"}
    headers = {"Authorization": f"Bearer {key}"}
    return requests.post(
        f"{simulator.urls['OPENAI_BASE_URL']}/audio/speech", json=body, headers=headers, timeout=timeout
    )
