"""AWS's own DynamoDB Local, as a second opinion on what a table does.

`make test-dynamodb` installs it and runs the contract tests with it in place of moto's tables. It listens on every
address of its machine, so that it runs in a network of its own.
"""

from __future__ import annotations

import itertools
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3

from tools.http_server import listen
from tools.localaws.ports import LOOPBACK

REGION = "eu-central-1"


class Tables:
    """Makes clients, each of an account of its own that has no table yet."""

    def __init__(self, port: int) -> None:
        self._url = f"http://{LOOPBACK}:{port}"
        self._numbers = itertools.count()

    def client(self) -> Any:
        """Whose access key it is decides which tables there are."""
        return boto3.client(
            "dynamodb",
            endpoint_url=self._url,
            region_name=REGION,
            aws_access_key_id=f"account{next(self._numbers)}",
            aws_secret_access_key="testing",  # noqa: S106 # it takes any
        )


@contextmanager
def dynamodb_local(folder: Path) -> Iterator[Tables]:
    """Run what `make` installed in that folder; all that it holds is in memory."""
    sock = listen()
    port = sock.getsockname()[1]
    sock.close()
    java = ["java", f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}", "-jar", str(folder / "DynamoDBLocal.jar")]
    command = [*java, "-inMemory", "-disableTelemetry", "-port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as started:  # noqa: S603 # ours
        try:
            _wait_until_it_listens(started, port)
            yield Tables(port)
        finally:
            started.terminate()


def _wait_until_it_listens(started: subprocess.Popen[bytes], port: int) -> None:
    while started.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection((LOOPBACK, port)):
            return
        threading.Event().wait(0.05)
    raise RuntimeError("DynamoDB Local did not start")
