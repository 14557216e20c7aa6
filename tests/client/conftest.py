from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mediarelay_client import desk
from mediarelay_client.relay import Relay
from mediarelay_client.settings import Settings
from tests.harness.client_stack import ClientStack


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClientStack]:
    made = ClientStack()
    session: Any = made
    monkeypatch.setattr(Settings, "session", lambda _: session)
    # What comes late is asked for soon.
    monkeypatch.setattr(desk, "LATE", (0.1,))
    monkeypatch.setattr(desk, "ONLY_WAY", (0.02,))
    yield made
    made.close()


@pytest.fixture
def relay(stack: ClientStack) -> Iterator[Relay]:
    with Relay(stack.settings(), client="tests") as made:
        yield made
