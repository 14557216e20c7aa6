"""`python -m tests.harness.trace`: how many calls of the package's functions two requests take, as a JSON object.

One speech request through the shipped handler, over AWS by moto, with two keys that declare a limit: the second request
of a worker, a second after the first, which is what nearly all are like. And one clip from its message to its end,
through the shipped handlers and the shipped state machine, with one poll, each step in a worker of its own.

Time stands still during a request, so that what is remembered for a while is not read again because a machine is slow.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final
from unittest.mock import patch

import mediarelay
from functions.dispatch_request import app as dispatch_app
from mediarelay.aws.system_clock import SystemClock
from mediarelay.keys.pools import KeyPools
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import video
from tests.harness.long_jobs.workflow import Bench
from tools.bench.costs.scenario import deployed, quiet
from tools.bench.lambda_events import batch, context

PACKAGE: Final = str(Path(mediarelay.__file__).parent)
# Generous limits: neither of two requests waits for a permit.
KEYS: Final = {"OPENAI_API_KEYS": [{"key": f"fake-openai-key-{number:04d}", "rpm": 600} for number in range(2)]}
# Imported when they are first asked for.
USED_BY_CLIPS: Final = (
    *(
        "long_jobs.start",
        "long_jobs.assembly",
        "long_jobs.submit.submit",
        "long_jobs.poll",
        "long_jobs.settle",
        "long_jobs.transfer.transfer",
    ),
    "providers.kling",
)


class CallTrace:
    """Counts while it is `counting`, in every thread that was started after `installed`."""

    def __init__(self, inner: CodeType | None = None) -> None:
        """Calls that the function *inner* makes and waits for are counted once more by themselves."""
        self.calls = 0
        self.inner_calls = 0
        self.files: set[str] = set()
        self._inner = inner
        self._within: int | None = None
        self._counting = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Watch this thread and those that are started from here on."""
        threading.setprofile(self._heard)
        sys.setprofile(self._heard)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what is called meanwhile."""
        self._counting = True
        try:
            yield
        finally:
            self._counting = False

    def _heard(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if not self._counting or not code.co_filename.startswith(PACKAGE):
            return
        if event == "call":
            if code is self._inner:
                self._within = threading.get_ident()
            self.calls += 1
            self.inner_calls += self._within == threading.get_ident()
            self.files.add(code.co_filename)
        elif event == "return" and code is self._inner:
            self._within = None


def speech() -> Mapping[str, int]:
    """Files and calls of one speech request, and the calls that taking its key took."""
    trace, moment = CallTrace(KeyPools.take.__code__), time.time()
    with quiet(), deployed(KEYS), trace.installed():
        with patch.object(SystemClock, "now", lambda _clock: moment):
            dispatch_app.handler(batch(0, 1), context())
        with patch.object(SystemClock, "now", lambda _clock: moment + 1.0), trace.counting():
            answer = dispatch_app.handler(batch(1, 1), context())
    if answer["batchItemFailures"] or not trace.inner_calls:
        raise RuntimeError(f"not the happy path: nothing can be said about its calls; {answer}")
    return {"speech-files": len(trace.files), "speech-calls": trace.calls, "speech-key-calls": trace.inner_calls}


def clip() -> Mapping[str, int]:
    """Calls of one clip of Kling's that is done by its first poll; to import what it uses is no call of it."""
    trace, bench = CallTrace(), Bench()
    for name in USED_BY_CLIPS:
        import_module(f"mediarelay.{name}")
    with quiet(), trace.installed(), trace.counting():
        record = bench.run(video(request_id="job-1", providers=["kling-video"]))
    if record.status is not JobStatus.SUCCEEDED or bench.ran.visits["Poll job"] != 1:
        raise RuntimeError(f"not the happy path with one poll: nothing can be said about its calls; {record}")
    return {"clip-calls": trace.calls}


if __name__ == "__main__":
    print(json.dumps({**speech(), **clip()}))  # noqa: T201 # the result, for whoever started it
