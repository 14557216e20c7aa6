from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import local_aws as accounts
from tests.harness.local_aws import REGION, LocalAws, local_aws
from tools.dynamodb_local import dynamodb_local


@pytest.fixture(scope="session", autouse=True)
def tables(request: pytest.FixtureRequest) -> Iterator[None]:
    """What keeps the tables: moto, or AWS's own DynamoDB Local."""
    folder = request.config.getoption("--dynamodb-local")
    if folder is None:
        yield
        return
    with dynamodb_local(Path(folder)) as running, pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "dynamodb_client", running.client)
        yield


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with local_aws() as account:
        yield account
