import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.sam_local.engine import missing_engine
from tests.sam_local.key_server import served_key_set
from tools.local.outage.inbox import Inbox
from tools.local.plan import StackPlan, provider_parameters
from tools.local.sam_local.invocation import build
from tools.local.simulator import simulator_keys
from tools.local.stack import LocalStack
from tools.simulator.process import SimulatorProcess


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    reason = missing_engine()
    if reason and os.environ.get("CI"):
        pytest.fail(f"CI must run sam local invoke, but {reason}")
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Iterator[LocalStack]:
    """Deployed, with the functions built for containers beside it."""
    with ExitStack() as running:
        simulator = running.enter_context(SimulatorProcess())
        key_set = running.enter_context(served_key_set())
        optional = {
            "FalWebhooks": "on",
            "FalJwksUrl": key_set,
            "CallbackHosts": "hooks.example.com",
            "ChatAlerts": "on",
        }
        parameters = {**provider_parameters(simulator.urls), **optional}
        workdir, plan, keys = tmp_path_factory.mktemp("stack"), StackPlan(built=built), simulator_keys()
        stack = running.enter_context(LocalStack.start(workdir, parameters=parameters, secret=keys, plan=plan))
        build()
        yield stack


@pytest.fixture
def results(stack: LocalStack) -> Inbox:
    """Receives what is published on MediaResults from now on."""
    return _inbox(stack, "MediaResultsTopicArn")


@pytest.fixture
def alerts(stack: LocalStack) -> Inbox:
    """The same of ProviderAlerts."""
    return _inbox(stack, "ProviderAlertsTopicArn")


def _inbox(stack: LocalStack, topic: str) -> Inbox:
    return Inbox(stack.client("sqs"), stack.client("sns"), stack.outputs[topic], f"sam-local-{uuid.uuid4().hex}")
