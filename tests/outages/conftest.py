from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.deployed import Relay, deployed


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Relay]:
    with deployed(tmp_path_factory.mktemp("outages"), built) as running:
        yield running
