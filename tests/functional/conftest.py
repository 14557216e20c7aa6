from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from functions.aggregate_health import app
from tests.harness.function_events import Record
from tests.harness.functions import Context, Deployed, deployed, vendors

__all__ = ["deployed", "vendors"]


@pytest.fixture
def aggregate(deployed: Deployed) -> Callable[[Sequence[Record]], list[str]]:  # the fixture
    """Run aggregate_health; the sequence numbers that failed."""
    app.service.cache_clear()

    def handle(records: Sequence[Record]) -> list[str]:
        answer = app.handler({"Records": list(records)}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    assert deployed
    return handle
