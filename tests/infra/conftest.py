from typing import Any

import pytest

from tests.infra.template_document import load_template


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    return load_template()
