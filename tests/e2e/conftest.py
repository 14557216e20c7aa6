from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.callbacks.receiver import HOST, SECRET, CallbackReceiver, callback_receiver
from tests.harness.deployed import Relay, deployed


@pytest.fixture(scope="package")
def receiver() -> Iterator[CallbackReceiver]:
    """Whom the deployed stack calls back."""
    with callback_receiver() as listening:
        yield listening


@pytest.fixture(scope="package")
def relay(tmp_path_factory: pytest.TempPathFactory, built: Path, receiver: CallbackReceiver) -> Iterator[Relay]:
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    asked_for = {"CallbackHosts": HOST, "CallbackReceivers": json.dumps({HOST: receiver.url}), "EventBus": bus}
    with deployed(tmp_path_factory.mktemp("e2e"), built, **asked_for) as running:
        secret = json.dumps({HOST: [SECRET]})
        running.stack.client("secretsmanager").create_secret(Name="mediarelay/callback-secrets", SecretString=secret)
        yield running


@pytest.fixture(autouse=True)
def healthy_vendors(relay: Relay) -> None:
    relay.simulator.client.reset()
