"""Media lie where a vendor's answer says, which may be anywhere: they are fetched from public addresses only."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from mediarelay.http import connections
from mediarelay.http.connections import RequestsHttp
from mediarelay.http.messages import HttpRequest
from mediarelay.vocabulary.errors import Unreachable
from tests.doubles.clock import ManualClock

WITHIN = "10.1.2.3"


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a connection was tried to; every name leads within."""
    addresses: list[str] = []

    def refuse(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        addresses.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", (WITHIN, 443))])
    monkeypatch.setattr(connections, "create_connection", refuse)
    return addresses


def test_a_file_within_is_not_fetched(tried: list[str]) -> None:
    clock = ManualClock()
    http = RequestsHttp(clock, allow_plain_http=False)
    with pytest.raises(Unreachable), http.fetch("https://media.invalid/1.png", deadline=clock.now() + 20.0):
        pass
    assert tried == []


def test_a_vendor_may_be_within(tried: list[str]) -> None:
    """Its address is the operator's to set."""
    clock = ManualClock()
    http = RequestsHttp(clock, allow_plain_http=False)
    asked = HttpRequest("POST", "/v1/speech", {"input": "hello"}, base_url="https://vendor.invalid")
    with pytest.raises(Unreachable), http.send(asked, deadline=clock.now() + 20.0):
        pass
    assert tried == [WITHIN]
