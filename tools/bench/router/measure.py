"""Ours and LiteLLM's Router in turns against one server, each in a process and an environment of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tools.bench.instant_server import instant_server
from tools.bench.result import Measurement
from tools.local.project import DEV_PYTHON, ROOT, VENVS

ROUNDS = 3
BAR = 0.4
PEER_PYTHON = VENVS / "litellm" / "bin" / "python"


def measure() -> Iterator[Measurement]:
    """CPU per request above the bare call. Needs the environment that `make bench` creates for the peer."""
    ours, peer = [], []
    with instant_server() as url:
        for _ in range(ROUNDS):
            ours.append(_milliseconds(DEV_PYTHON, "ours", url))
            peer.append(_milliseconds(PEER_PYTHON, "peer", url))
    yield Measurement(
        name="router-cost",
        value=statistics.median(ours),
        unit="ms CPU per request above the bare call",
        reference="LiteLLM's Router, five keys, same server",
        reference_value=statistics.median(peer),
        bar=BAR,
    )


def _milliseconds(python: Path, side: str, url: str) -> float:
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # prices from its package: no network in a benchmark
    }
    command = [str(python), "-m", f"tools.bench.router.{side}", url]
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 # ours
    return float(json.loads(run.stdout.splitlines()[-1])["milliseconds"])
