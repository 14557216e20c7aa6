from typing import Any

import pytest

from tests.harness.template import load_template


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    return load_template()
