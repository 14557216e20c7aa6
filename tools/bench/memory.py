"""Memory of one worker over 5,000 requests: it must stay where it was after the first thousand.

The real handler with its real clients, against a server that answers for AWS and the provider and keeps nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.bench.instant_server import instant_server
from tools.bench.lambda_environment import ENVIRONMENT
from tools.bench.result import Measurement
from tools.local.project import ROOT

WARM = 1000
REQUESTS = 5000
BATCH = 10
BAR = 1.05


def measure() -> Iterator[Measurement]:
    """Resident megabytes after all requests, beside those after the first thousand."""
    with instant_server() as url:
        warm, last = _megabytes(url)
    yield Measurement(
        name="worker-memory",
        value=last,
        unit=f"MB resident after {REQUESTS:,} requests",
        reference=f"the same worker after {WARM:,}",
        reference_value=warm,
        bar=BAR,
    )


def _megabytes(url: str) -> tuple[float, float]:
    environment = {
        **ENVIRONMENT,
        "PATH": os.defpath,
        "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}",
        "STAGE": "local",
        "AWS_ENDPOINT_URL": url,
        "OPENAI_BASE_URL": url,
    }
    command = [sys.executable, "-m", "tools.bench.memory"]
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 # ours
    warm, last = json.loads(run.stdout.splitlines()[-1])
    return warm, last


def _work() -> None:
    """The worker: handle batch after batch, and look twice."""
    from functions.dispatch_request import app  # noqa: PLC0415 # with the environment of a function, as in Lambda
    from tools.bench.lambda_events import batch, context  # noqa: PLC0415 # beside it

    seen = []
    for first in range(0, REQUESTS, BATCH):
        answer = app.handler(batch(first, BATCH), context())
        if answer["batchItemFailures"]:
            raise RuntimeError(f"requests failed: {answer}")
        if first + BATCH in {WARM, REQUESTS}:
            seen.append(_resident_megabytes())
    print(json.dumps(seen))


def _resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    _work()
