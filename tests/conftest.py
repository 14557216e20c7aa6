from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.key_watch import KeyWatch, watching


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
