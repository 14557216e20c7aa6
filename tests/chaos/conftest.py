from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.harness.chatter import say
from tests.harness.deployed import Relay, deployed


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[Relay]:
    with deployed(tmp_path_factory.mktemp("chaos"), built, MaximumConcurrency="4") as running:
        yield running


@pytest.fixture(autouse=True)
def healthy_vendors(relay: Relay) -> None:
    relay.simulator.client.reset()


@pytest.fixture
def dice() -> Random:
    """Another run every time; CHAOS_SEED repeats one. Pytest shows the seed of a run that failed."""
    seed = int(os.environ.get("CHAOS_SEED", time.time_ns() % 1_000_000))
    say(f"CHAOS_SEED={seed}")
    return Random(seed)
