"""Connections that died while Lambda had frozen the worker cost no call.

AWS Lambda developer guide, "Best practices for working with AWS Lambda functions": "Lambda purges idle connections over
time. Attempting to reuse an idle connection when invoking a function will result in a connection error."
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from mediarelay.aws import clients
from tests.doubles.raw_server import Line, RawServer, raw_server, whole

CONFIGS = {"telemetry": clients.TELEMETRY_CONFIG, "leases": clients.LEASE_CONFIG, "stores": clients.STORE_CONFIG}
OPEN = 4  # connections


class Table:
    """Answers; from `freeze` on it hangs up on whoever calls on a connection from before."""

    def __init__(self) -> None:
        self.calls = 0
        self._together: threading.Barrier | None = threading.Barrier(OPEN)
        self._dead: list[Line] = []

    def freeze(self, server: RawServer) -> None:
        self._together = None
        self._dead = list(server.lines)

    def __call__(self, _: Any, line: Line) -> None:
        self.calls += 1
        if self._together is not None:
            self._together.wait()
        if line in self._dead:
            line.close()
        else:
            line.send(whole(b"{}", head=b"Content-Type: application/x-amz-json-1.0\r\n"))


def dynamodb(monkeypatch: pytest.MonkeyPatch, url: str, config: Config) -> Any:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return clients.client("dynamodb", config)


def read(client: Any) -> None:
    client.get_item(TableName="telemetry", Key={"pk": {"S": "a"}})


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_after_a_freeze_no_call_fails_though_every_connection_is_dead(
    monkeypatch: pytest.MonkeyPatch, config: Config
) -> None:
    table = Table()
    with raw_server(table) as server, ThreadPoolExecutor(OPEN) as threads:
        client = dynamodb(monkeypatch, server.url, config)
        list(threads.map(read, [client] * OPEN))
        table.freeze(server)
        for _ in range(OPEN):
            read(client)
    # Only the first one of them met a dead connection; the others were given up with it.
    assert (len(server.lines), table.calls) == (OPEN + 1, OPEN + 1 + OPEN)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_server_that_always_hangs_up_is_called_twice(monkeypatch: pytest.MonkeyPatch, config: Config) -> None:
    calls: list[Any] = []

    def hang_up(request: Any, line: Line) -> None:
        calls.append(request)
        line.close()

    with raw_server(hang_up) as server:
        client = dynamodb(monkeypatch, server.url, config)
        with pytest.raises(ConnectionClosedError):
            read(client)
    assert len(calls) == 2
