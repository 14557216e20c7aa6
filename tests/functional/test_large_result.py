"""A result of 500 MB through the settle function's own code, in a process of its own whose memory is measured."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MEGABYTE = 1024 * 1024
SIZE = 500 * MEGABYTE
LIMIT_MEGABYTES = 256
BREAKS_AT = 300 * MEGABYTE
HEAD = b"\x00\x00\x00\x18ftypisom" + b"\x00" * 52
CHUNK = b"\x07" * (256 * 1024)

PROGRAM = """
import json, sys
sys.path[:0] = ["shared", "."]
import functions.settle_job.app
from botocore.config import Config
import boto3
from mediarelay.aws.system_clock import SystemClock
from mediarelay.long_jobs.transfer.client import RequestsMediaFetcher
from mediarelay.long_jobs.transfer.s3 import S3Uploads
from mediarelay.long_jobs.transfer.transfer import Transfer, Wanted

origin, clock = sys.argv[1], SystemClock()
client = boto3.client(
    "s3", endpoint_url=origin, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
    config=Config(s3={"addressing_style": "path"}),
)
transfer = Transfer(RequestsMediaFetcher(clock, local=True), S3Uploads(client, "results"), clock)
wanted = Wanted(url=f"{origin}/media", hosts=(), formats=["mp4"], key=lambda kind: f"k.{kind}", facts={})
output = transfer.fetch(wanted, deadline=clock.now() + 600)
# Not ru_maxrss: that begins with what the process that started us had.
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"bytes": output.bytes, "peak_kilobytes": peak}))
"""


class _Far(BaseHTTPRequestHandler):
    """The media host, whose first answer breaks off, and the bucket, which counts and forgets."""

    protocol_version = "HTTP/1.1"
    stored = 0
    parts = 0
    asked: list[int] = []  # noqa: RUF012 # one server, one test

    def do_GET(self) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        self.asked.append(start)
        self.send_response(206 if wanted else 200)
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(SIZE - start))
        if wanted:
            self.send_header("Content-Range", f"bytes {start}-{SIZE - 1}/{SIZE}")
        self.end_headers()
        end = SIZE if wanted else BREAKS_AT
        if not start:
            self.wfile.write(HEAD)
            start = len(HEAD)
        while start < end:
            self.wfile.write(CHUNK[: end - start])
            start += min(len(CHUNK), end - start)
        self.close_connection = True

    def do_POST(self) -> None:
        self._discard()
        begun = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        done = b"<CompleteMultipartUploadResult><Key>k.mp4</Key></CompleteMultipartUploadResult>"
        self._answer(begun if self.path.endswith("?uploads") else done)

    def do_PUT(self) -> None:
        type(self).stored += self._discard()
        type(self).parts += 1
        self._answer(b"")

    def _discard(self) -> int:
        left = length = int(self.headers.get("Content-Length", 0))
        while left:
            left -= len(self.rfile.read(min(left, len(CHUNK))))
        return length

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("ETag", '"part"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def far() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Far)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_five_hundred_megabytes_pass_through_less_than_the_functions_memory(far: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", "AWS_DEFAULT_REGION": "us-east-1"}
    command = [sys.executable, "-c", PROGRAM, far]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["bytes"] == SIZE
    assert _Far.stored == SIZE
    assert _Far.parts == -(-SIZE // (8 * MEGABYTE))
    assert _Far.asked == [0, BREAKS_AT], "it went on where it had broken off"
    assert told["peak_kilobytes"] / 1024 < LIMIT_MEGABYTES
    assert told["peak_kilobytes"] / 1024 > 30, "the measurement is of something"
