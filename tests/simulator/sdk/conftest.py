"""The vendors' SDKs that more than one module drives, pointed at the simulator."""

from contextlib import ExitStack

import fal_client
import httpx
import pytest
from elevenlabs import ElevenLabs


@pytest.fixture
def elevenlabs_sdk(simulator):
    # The SDK never closes a connection pool of its own, so it is lent one that we close.
    with httpx.Client() as pool:
        yield lambda key="sim-elevenlabs-key-1": ElevenLabs(
            api_key=key, base_url=simulator.urls["ELEVENLABS_BASE_URL"], httpx_client=pool
        )


@pytest.fixture
def fal_sdk(simulator, monkeypatch):
    monkeypatch.setattr("fal_client.client.RUN_URL_FORMAT", simulator.urls["FAL_BASE_URL"] + "/")
    monkeypatch.setattr("fal_client.client.QUEUE_URL_FORMAT", simulator.urls["FAL_QUEUE_BASE_URL"] + "/")
    with ExitStack() as opened:

        def make(key="sim-fal-key-1"):
            made = fal_client.SyncClient(key=key)
            opened.enter_context(made._client)  # the SDK has no way to close its connections
            return made

        yield make


@pytest.fixture
def fal(fal_sdk):
    return fal_sdk()
