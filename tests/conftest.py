from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.key_watch import KeyWatch, watching

# They need a local AWS: all on one worker of pytest-xdist, so that a small machine runs one at a time, beside the
# tests that only compute.
WITH_A_STACK = frozenset({"chaos", "e2e", "local", "sam_local"})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).parts[0]
        if folder in WITH_A_STACK:
            item.add_marker(pytest.mark.xdist_group("stack"))


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
