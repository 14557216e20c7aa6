"""Polls that miss: forty jobs submitted through four keys, each polled once, by us and by LiteLLM's router.

To another key's account a job does not exist. Ours goes against the simulator's Kling with the shipped key ring,
pinning and wire; the peer against a server of OpenAI's video paths, in an environment of its own.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mediarelay.aws.system_clock import SystemClock
from mediarelay.http.connections import RequestsHttp
from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.pinned import pinned_key
from mediarelay.keys.pool import RoundRobin
from mediarelay.keys.pools import KeyPools, TakenKey
from mediarelay.keys.secrets_manager import EnvironmentKeys
from mediarelay.long_jobs.vendor_client import VendorJobClient
from mediarelay.metrics.writer import TelemetryWriter
from mediarelay.providers.api import Accepted, ProviderCall, Running
from mediarelay.providers.catalogue import models
from mediarelay.providers.registry import JOB_PROVIDERS
from mediarelay.request.model import VideoInput
from tests.doubles.keys import MemoryKeyStates
from tools.bench.result import Measurement
from tools.http_server import serving
from tools.local.project import VENVS
from tools.simulator.process import SimulatorProcess

PEER_PYTHON = VENVS / "litellm" / "bin" / "python"
KEYS = 4
JOBS = 40
_SECONDS = 60.0
_PEER = Path(__file__).parent / "peers" / "litellm_polls.py"
_ACCOUNTS = {f"account-{number}": {"keys": [f"sim-kling-key-{number}"]} for number in range(KEYS)}
_SLOW = {"kling": {"task_run": {"kind": "fixed", "seconds": 600}}}


def measure() -> Iterator[Measurement]:
    """Lost polls, ours beside the peer's. Needs the environment that `make bench` creates for the peer."""
    found = _peer()
    yield Measurement(
        name="foreign-polls",
        value=_ours(),
        unit=f"of {JOBS} polls lost to another key",
        reference=f"LiteLLM {found['version']}, submitted and polled through a group of {KEYS} keys",
        reference_value=float(found["lost"]),
        bar=0.0,
    )


def _ours() -> float:
    """Polls that did not find their job, or used another key than its own."""
    with SimulatorProcess(config={"vendors": {"kling": _ACCOUNTS}, "latency": _SLOW}) as simulator:
        clock = SystemClock()
        keys = ",".join(key for account in _ACCOUNTS.values() for key in account["keys"])
        ring = KeyPools(
            EnvironmentKeys({"KLING_API_KEYS": keys}),
            MemoryKeyStates(),
            None,
            TelemetryWriter(MemoryKeyStates(), []),
            clock=clock,
            rng=Random(1),  # noqa: S311 # repeatable runs, not secrets
            policy=RoundRobin,
        )
        ring.refresh()
        http = RequestsHttp(clock, allow_plain_http=True)
        urls = {"kling-video": simulator.urls["KLING_BASE_URL"]}
        wire = VendorJobClient(http, base_urls=urls, secrets=ring.secrets, clock=clock)
        missed = sum(not _found_again(wire, ring, number, clock.now() + _SECONDS) for number in range(JOBS))
        return float(missed + simulator.client.stats()["foreign_polls"])


def _found_again(wire: VendorJobClient, ring: KeyPools, number: int, deadline: float) -> bool:
    """Submit with whichever key is next; poll with what a later worker finds under its id."""
    kling = JOB_PROVIDERS["kling-video"]
    call = ProviderCall(f"job-{number}", VideoInput(prompt=f"clip {number}"), models("kling-video")["kling-v2-6"])
    taken = ring.take("kling", "kling-video", frozenset())
    if not isinstance(taken, TakenKey):
        raise TypeError("no key is free")
    answer, _ = wire.submit(kling, call, ApiKey(taken.secret, taken.entry), deadline=deadline)
    ring.delivered(taken, "kling-video")
    if not isinstance(answer, Accepted):
        raise TypeError(f"not accepted: {answer}")
    key = pinned_key(ring, "kling", taken.entry.key_id, taken.entry.account)
    return key is not None and wire.poll(kling, call, answer.task, key, deadline=deadline)[0] == Running()


class _Videos:
    """OpenAI's video paths: a job belongs to the key that submitted it."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._numbers = itertools.count()

    def app(self) -> Starlette:
        """Return the application that serves them."""
        return Starlette(
            routes=[
                Route("/v1/videos", self.submit, methods=["POST"]),
                Route("/v1/videos/{name}", self.poll, methods=["GET"]),
            ]
        )

    async def submit(self, request: Request) -> JSONResponse:
        """Take a job."""
        await request.body()
        name = f"video_{next(self._numbers)}"
        self._owners[name] = request.headers["authorization"]
        return _video(name, "queued")

    async def poll(self, request: Request) -> JSONResponse:
        """Tell its owner that the job goes on, and others that there is none."""
        name = request.path_params["name"]
        if self._owners.get(name) == request.headers["authorization"]:
            return _video(name, "in_progress")
        return JSONResponse({"error": {"message": "Video not found", "type": "invalid_request_error"}}, 404)


def _video(name: str, status: str) -> JSONResponse:
    return JSONResponse({"id": name, "object": "video", "status": status, "created_at": 1, "model": "sora-2"})


def _peer() -> dict[str, float | str]:
    with serving(_Videos().app()) as url:
        command = [str(PEER_PYTHON), str(_PEER), f"{url}/v1", str(KEYS), str(JOBS)]
        environment = {"PATH": os.defpath, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)  # noqa: S603 # ours
    found: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    return found
