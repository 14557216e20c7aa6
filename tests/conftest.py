from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.key_watch import KeyWatch, watching

# Each group stays on one worker of pytest-xdist. A small machine drives one local stack at a time; the containers of
# `sam local invoke` mostly start and wait.
GROUPS = {"chaos": "stack", "e2e": "stack", "local": "stack", "sam_local": "containers"}

# No test asserts a time: an example may take as long as a busy machine lets it.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        group = GROUPS.get(item.path.relative_to(here).parts[0])
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))


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
