"""Memory of one worker over 5,000 requests, where it must stay what it was after the first thousand, and at its peak
while two hours of speech are joined.

The real handler with its real clients, against a server that answers for AWS and the provider and keeps nothing. The
real joiner, over a bucket that makes each part while it is read and forgets what is uploaded.
"""

from __future__ import annotations

import json
import math
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from mediarelay.job_records.contract import Output
from tools.bench.instant_server import instant_server
from tools.bench.lambda_environment import ENVIRONMENT
from tools.bench.result import Measurement
from tools.local.project import ROOT

WARM = 1000
REQUESTS = 5000
BATCH = 10
BAR = 1.05
JOINED_SECONDS = 2 * 3600
PART_SECONDS = 270  # of 4,000 characters
RATE = 24_000
LIMIT_MEGABYTES = 256.0


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
    yield Measurement(
        name="joining-memory",
        value=joining_megabytes(JOINED_SECONDS),
        unit=f"MB at the peak of joining {JOINED_SECONDS // 3600} hours of speech into an MP3",
        reference="what a small function has",
        reference_value=LIMIT_MEGABYTES,
        bar=1.0,
    )


def joining_megabytes(seconds: int) -> float:
    """Return the peak of a process that joins so much speech, the interpreter and all libraries included."""
    command = [sys.executable, "-m", "tools.bench.memory", str(seconds)]
    environment = {"PATH": os.defpath, "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}"}
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 # ours
    return float(run.stdout.splitlines()[-1])


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


class _S3:
    """A bucket that makes each part while it is read, and forgets what is uploaded."""

    def get_object(self, **asked: str) -> dict[str, _Tone]:
        """The first part of the key says how many seconds."""
        return {"Body": _Tone(int(asked["Key"].partition("/")[0]))}

    def create_multipart_upload(self, **_asked: object) -> dict[str, str]:
        """Begin."""
        return {"UploadId": "upload"}

    def upload_part(self, **_asked: object) -> dict[str, str]:
        """Forget it."""
        return {"ETag": "part"}

    def complete_multipart_upload(self, **_asked: object) -> None:
        """Forget all of it."""


class _Tone:
    """A WAV file of so many seconds of a steady tone."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds

    def iter_chunks(self, _size: int) -> Iterator[bytes]:
        """Its header, then a second at a time."""
        size = self._seconds * RATE * 2
        header = (b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1, RATE, RATE * 2, 2, 16, b"data", size)
        yield struct.pack("<4sI4s4sIHHIIHH4sI", *header)
        second = b"".join(struct.pack("<h", round(9000 * math.sin(at / 17.0))) for at in range(RATE))
        yield from (second for _ in range(self._seconds))


def _join(seconds: int) -> None:
    """The joiner: so much speech, and a look at the peak."""
    from mediarelay.long_jobs.transfer.s3 import S3Uploads  # noqa: PLC0415 # only here, so that only these count
    from mediarelay.long_speech.joining import PartJoiner, Sounds  # noqa: PLC0415
    from mediarelay.results.s3 import S3Media  # noqa: PLC0415

    lengths = [PART_SECONDS] * (seconds // PART_SECONDS) + [seconds % PART_SECONDS]
    files = [
        Output(key=f"{length}/{number}.wav", content_type="audio/wav", bytes=1, sha256="")
        for number, length in enumerate(lengths)
        if length
    ]
    bucket = _S3()
    joiner = PartJoiner(S3Media(bucket, "results"), S3Uploads(bucket, "results"))
    joiner.join(Sounds(files, "mp3", "whole.mp3", {}))
    # Not `ru_maxrss`: that begins with what the parent held.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6)


if __name__ == "__main__":
    _join(int(sys.argv[1])) if sys.argv[1:] else _work()
