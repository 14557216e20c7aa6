from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.deployed import Relay, deployed


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    with deployed(tmp_path_factory.mktemp("outages")) as running:
        yield running
