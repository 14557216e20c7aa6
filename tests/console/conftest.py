from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from mediarelay.aws.system_clock import SystemClock
from tests.harness.console.api_server import api_server
from tests.harness.console.browser import chromium
from tests.harness.console.scene import Scene
from tests.harness.functions import Deployed, deployed

__all__ = ["deployed"]

OPERATOR, VIEWER, PUBLISHER = "operator-token", "viewer-token", "publisher-token"
CALLERS = {
    OPERATOR: {"token": "ann", "role": "operator"},
    VIEWER: {"token": "vic", "role": "viewer"},
    PUBLISHER: {"token": "pat", "role": "publisher", "tenant": "acme"},
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def scene(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("STAGE", "prod")
    monkeypatch.setenv("PICTURE_QUEUE_URL", deployed.aws.picture_url)
    made = Scene(deployed.aws, SystemClock().now())
    made.play()
    return made


@pytest.fixture
def base(scene: Scene) -> Iterator[str]:
    """Where the console is."""
    assert scene
    with api_server(CALLERS) as address:
        yield address
