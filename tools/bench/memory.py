"""Memory of one worker over 5,000 requests, where it must stay what it was after the first thousand; at its peak while
ten messages each bring ten pictures of 10 MB; and at its peak while two hours of speech are joined.

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
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

from mediarelay.job_records.contract import Output
from tools.bench.instant_server import SEEN, instant_server
from tools.bench.lambda_environment import printed_by
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
PICTURES = 10
PICTURE_BYTES = 10_000_000
WORKER_MEGABYTES = 512.0
PICTURES_BAR = 460 / WORKER_MEGABYTES


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
        name="pictures-memory",
        value=pictures(BATCH, PICTURES, PICTURE_BYTES).peak_megabytes,
        unit=f"MB at the peak of {BATCH} messages with {PICTURES} pictures of {PICTURE_BYTES // 1_000_000} MB each",
        reference="what dispatch_request has",
        reference_value=WORKER_MEGABYTES,
        bar=PICTURES_BAR,
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
    command = [sys.executable, "-m", "tools.bench.memory", "join", str(seconds)]
    environment = {"PATH": os.defpath, "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}"}
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 # ours
    return float(run.stdout.splitlines()[-1])


class Pictures(NamedTuple):
    """What came of messages for pictures: the worker's peak, invocations it took, calls, and the bytes of each file."""

    peak_megabytes: float
    invocations: int
    calls: int
    stored: list[int]


def pictures(messages: int, each: int, bytes_each: int, **variables: str) -> Pictures:
    """Have a worker serve so many messages in one batch, and then what it deferred, each for so many pictures."""
    with instant_server() as url:
        asked = (str(messages), str(each), str(bytes_each))
        peak, invocations = printed_by("tools.bench.memory", "pictures", *asked, url=url, **variables)
        with urlopen(url + SEEN) as answer:  # noqa: S310 # ours
            seen = json.load(answer)
    return Pictures(peak, invocations, seen["calls"], list(seen["stored"].values()))


def _megabytes(url: str) -> tuple[float, float]:
    warm, last = printed_by("tools.bench.memory", "speech", url=url)
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


def _draw(messages: int, each: int, bytes_each: int) -> None:
    """The worker: handle a batch of messages for pictures, then what it deferred, and tell its peak."""
    from functions.dispatch_request import app  # noqa: PLC0415 # as above
    from tools.bench.lambda_events import context, published, record  # noqa: PLC0415

    asked = {"kind": "image", "input": {"prompt": str(bytes_each), "n": each}, "providers": ["openai-image"]}
    due = [published(f"{number:06d}", asked) for number in range(messages)]
    invocations = deferred = 0
    while due:
        answer = app.handler({"Records": due}, context())
        if answer["batchItemFailures"]:
            raise RuntimeError(f"requests failed: {answer}")
        invocations += 1
        with urlopen(os.environ["AWS_ENDPOINT_URL"] + SEEN) as seen:  # noqa: S310 # ours
            later = json.load(seen)["later"]
        due = [_received(record, number, later[number]) for number in range(deferred, len(later))]
        deferred = len(later)
    print(json.dumps([_peak_megabytes(), invocations]))


def _received(record: Callable[[dict[str, Any]], dict[str, Any]], number: int, sent: dict[str, Any]) -> dict[str, Any]:
    """A deferred copy as the queue delivers it."""
    if not sent["QueueUrl"].endswith("/queue"):
        raise RuntimeError(f"parked: {sent}")
    came = {"ApproximateReceiveCount": "1", "SentTimestamp": str(round(time.time() * 1000))}
    named = {"MessageId": f"later-{number}", "ReceiptHandle": f"later-{number}", "Attributes": came}
    return record({**named, "Body": sent["MessageBody"], "MessageAttributes": sent["MessageAttributes"]})


def _peak_megabytes() -> float:
    # Not `ru_maxrss`: that begins with what the parent held.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


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
    print(_peak_megabytes())


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    work: dict[str, Callable[..., None]] = {"speech": _work, "pictures": _draw, "join": _join}
    work[what](*map(int, numbers))
