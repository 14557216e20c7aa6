"""`make deploy` and `make doctor` on the deployed template: exit status, and one line for each fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.deployed import Relay, until
from tools.deployment.__main__ import check, doctor
from tools.localaws.environment import client_environment

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def _environment(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in client_environment(relay.stack.endpoint).items():
        monkeypatch.setenv(name, value)


def ended(command: Callable[..., None], **how: str) -> int | str | None:
    with pytest.raises(SystemExit) as end:
        command(**how)
    return end.value.code


def heard_nothing(cloudwatch: Any) -> list[str]:
    alarms = cloudwatch.describe_alarms(StateValue="INSUFFICIENT_DATA")["MetricAlarms"]
    return [each["AlarmName"] for each in alarms if each.get("InsufficientDataActions")]


def test_a_stack_that_is_well_passes(relay: Relay, capsys: pytest.CaptureFixture[str]) -> None:
    relay.parked()
    # A stack that is new has not been swept yet, which rings nowhere, and which the doctor tells.
    cloudwatch = relay.stack.client("cloudwatch")
    until(lambda: not heard_nothing(cloudwatch), "the first sweep")
    # What other tests had parked was told of, until a minute after it is gone.
    until(lambda: not cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"], "quiet alarms")
    assert ended(doctor, stack="mediarelay-local") == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "the vendor knows it" in said.out
    assert "no dead letters" in said.out
    assert ended(check, stage="local") == 0


@pytest.mark.parametrize("text", ["{", json.dumps({"OPENAI_API_KEYS": [{"kye": "k"}]})])
def test_a_malformed_secret_is_one_line(relay: Relay, capsys: pytest.CaptureFixture[str], text: str) -> None:
    secrets = relay.stack.client("secretsmanager")
    secrets.create_secret(Name="malformed", SecretString=text)
    try:
        assert ended(check, stage="local", parameters="KeysSecretName=malformed") == 1
    finally:
        secrets.delete_secret(SecretId="malformed", ForceDeleteWithoutRecovery=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert "the secret malformed" in line


def test_a_missing_secret_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(check, stage="local", parameters="KeysSecretName=nowhere") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "the secret nowhere is missing in us-east-1" in line


@pytest.mark.parametrize(("region", "said"), [("eu-west-9", "no region eu-west-9"), ("eu-west-1", "no stack")])
def test_a_wrong_region_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], region: str, said: str
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    assert ended(doctor, stack="mediarelay-local") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
