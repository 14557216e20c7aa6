from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.harness.bench import Bench
from tests.harness.key_watch import KeyWatch, watching

# Folders that stay on one worker of pytest-xdist each. A small machine drives one local stack at a time; the containers
# of `sam local invoke` mostly start and wait. All other tests go wherever there is room.
GROUPS = {"chaos": "stack", "e2e": "stack", "local": "stack", "sam_local": "containers"}

# No test asserts a time: an example may take as long as a busy machine lets it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


class ByFolder(LoadScopeScheduling):  # type: ignore[misc] # xdist's classes are untyped
    """Deals out tests by `GROUPS`."""

    def _split_scope(self, nodeid: str) -> str:
        return GROUPS.get(Path(nodeid).parts[1], nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder:
    return ByFolder(config, log)


@pytest.fixture(scope="session")
def key_watch() -> Iterator[KeyWatch]:
    with watching() as watch:
        yield watch


@pytest.fixture(autouse=True)
def no_key_leaks(key_watch: KeyWatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test of the suite is a test of this, too."""
    yield
    found = key_watch.take()
    if request.node.get_closest_marker("plants_keys") is None:
        assert found == []


@pytest.fixture
def bench() -> Bench:
    """A world in memory, with a worker for each message."""
    return Bench()


@pytest.fixture
def fresh() -> Callable[[], Bench]:
    """For tests that need several."""
    return Bench
