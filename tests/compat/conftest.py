from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.local_aws import REGION, LocalAws, local_aws


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with local_aws() as account:
        yield account
