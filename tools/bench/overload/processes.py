"""The processes of a run: the vendor, our workers, LiteLLM's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tools.bench.lambda_environment import ENVIRONMENT
from tools.bench.overload.local_aws import BUCKET, JOBS, STATE_MACHINE, TELEMETRY, Queue
from tools.http_server import serving_apart
from tools.local.project import ROOT, VENVS
from tools.localaws.environment import client_environment

RATE: Final = 4.0
BURST: Final = 4
PEER_PYTHON: Final = VENVS / "litellm" / "bin" / "python"
_PATHS: Final = {"PATH": os.defpath, "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}"}


class Vendor:
    """The independent server, from outside."""

    def __init__(self, url: str) -> None:
        self.url = url

    def control(self, **orders: list[str]) -> None:
        """Refuse keys from now on: `reject` them or `exhaust` their balance."""
        self._post("control", orders)

    def tally(self, keys: Sequence[str]) -> Any:
        """See `tools.bench.overload.server`."""
        return self._post("tally", {"keys": list(keys)})

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        request = urllib.request.Request(f"{self.url}/{path}", json.dumps(body).encode())  # noqa: S310 # http, ours
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 # as above
            return json.load(answer)


@contextmanager
def vendor() -> Iterator[Vendor]:
    """Start the server; it ends with the block."""
    with serving_apart("tools.bench.overload.server", str(RATE), str(BURST)) as url:
        yield Vendor(url)


class Workers:
    """Isolated processes around the shipped handler."""

    def __init__(
        self,
        queue: Queue,
        endpoint: str,
        vendor_url: str,
        keys: Sequence[str],
        *,
        count: int,
        concurrency: int | None = None,
    ) -> None:
        """All of them believe that there are *count*; of each key so many calls at a time are declared."""
        slots = {} if concurrency is None else {"concurrency": concurrency}
        declared = [{"key": key, "rpm": 60 * RATE, "burst": BURST, **slots} for key in keys]
        self._queue = queue
        self._environment = {
            **ENVIRONMENT,
            **_PATHS,
            **client_environment(endpoint),
            "JOBS_TABLE": JOBS,
            "TELEMETRY_TABLE": TELEMETRY,
            "RESULTS_BUCKET": BUCKET,
            "REQUEST_QUEUE_URL": queue.url,
            "REQUEST_DLQ_URL": queue.dlq_url,
            "LOST_REQUESTS_URL": queue.dlq_url,
            "MEDIA_JOB_STATE_MACHINE_ARN": STATE_MACHINE,
            "LONG_SPEECH_STATE_MACHINE_ARN": STATE_MACHINE,
            "KEYS_SECRET_ID": "",
            "OPENAI_API_KEYS": json.dumps(declared),
            "OPENAI_BASE_URL": vendor_url,
            "ENABLED_PROVIDERS": "openai-tts",
            "MAXIMUM_CONCURRENCY": str(count),
            "STAGE": "local",
            "POWERTOOLS_LOG_LEVEL": "WARNING",
        }
        self._alive: list[subprocess.Popen[str]] = []

    def start(self, *, seconds: float, skews: Sequence[float]) -> None:
        """One for each skew of its clock; returns when all are ready to receive."""
        command = [sys.executable, "-m", "tools.bench.overload.worker", self._queue.url, str(seconds)]
        started = [_start([*command, str(skew)], self._environment) for skew in skews]
        self._alive += started
        for process in started:
            _line(process)

    def kill(self, number: int) -> None:
        """One of them dies without a word."""
        process = self._alive.pop(number)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def end(self) -> None:
        """All of them."""
        while self._alive:
            self.kill(0)


class Peers:
    """LiteLLM's processes of one kind of settings; they wait for runs."""

    def __init__(self, settings: str, count: int) -> None:
        environment = {**_PATHS, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "CRITICAL"}
        command = [str(PEER_PYTHON), "-m", "tools.bench.overload.peer", settings]
        self._processes = [_start(command, environment) for _ in range(count)]

    def ready(self) -> str:
        """Wait for the imports; LiteLLM's version."""
        versions = {_line(process) for process in self._processes}
        return ", ".join(versions)

    def begin(self, url: str, keys: Sequence[str], arrivals: Sequence[float], start: float, workers: int) -> None:
        """Let so many of them take turns with the arrivals (seconds after *start*, unix)."""
        for number, process in enumerate(self._processes[:workers]):
            run = {"url": url, "keys": list(keys), "arrivals": list(arrivals[number::workers]), "start": start}
            assert process.stdin is not None  # noqa: S101 # a pipe was asked for
            process.stdin.write(f"{json.dumps(run)}\n")
            process.stdin.flush()

    def outcome(self, workers: int) -> dict[str, int]:
        """How many requests each end came to, over all processes."""
        told = [json.loads(_line(process)) for process in self._processes[:workers]]
        return {end: sum(each[end] for each in told) for end in told[0]}

    def end(self) -> None:
        """All of them."""
        for process in self._processes:
            process.kill()
            process.wait()


def _start(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=dict(environment), **pipes)  # noqa: S603 # ours


@contextmanager
def _running(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = _start(command, environment)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101 # a pipe was asked for
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{process.args!r} ended without a word")
    return line.strip()
