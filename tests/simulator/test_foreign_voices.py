"""Voices that belong to another account, met by a worker over real adapters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mediarelay.http.connections import RequestsHttp
from mediarelay.job_records.contract import JobRecord
from mediarelay.keys.parsing import keys_from
from mediarelay.limits.ports import LimitStore
from mediarelay.providers.listing import base_urls
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import message, tts
from tests.doubles.clock import ManualClock
from tests.doubles.keys import FixedKeys
from tests.doubles.leases import MemoryLimits
from tests.harness.local_aws import REGION, local_aws
from tests.harness.worker import World, on_aws, worker
from tools.simulator.client import SimulatorClient
from tools.simulator.process import SimulatorProcess

OWN = "Own0Voice0Of0Account"
SPEECH = {"providers": ["elevenlabs-tts", "openai-tts"], "strategy": "ordered"}
VOICES = {"elevenlabs-tts": {"voice": OWN}}
ACCOUNTS = """[{"key": "sim-elevenlabs-key-1", "account": "main"}, {"key": "sim-elevenlabs-key-2", "account": "main"},
 {"key": "sim-elevenlabs-key-3", "account": "backup"}]"""
KEYS = {"ELEVENLABS_API_KEYS": ACCOUNTS, "OPENAI_API_KEYS": "sim-openai-key-1"}


@pytest.fixture(params=["rotation", "permits"])
def world(
    request: pytest.FixtureRequest, simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A worker's world on AWS's and the vendors' own wires, with and without limits that all workers share."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    leases: LimitStore | None = MemoryLimits() if request.param == "permits" else None
    with local_aws() as account:
        made = on_aws(account, ManualClock())
        made.http = RequestsHttp(made.clock, allow_plain_http=True)
        made.source = FixedKeys(keys_from(KEYS))
        made.base_urls = base_urls({}, simulator.urls)
        made.leases = leases
        yield made


def served(world: World, name: str = "message-1") -> JobRecord:
    service = worker(world)
    service.handle(message(tts(name, **SPEECH, options=VOICES), message_id=name), worker_ends_at=world.ends_at)
    service.end_batch(worker_ends_at=world.ends_at)
    record = world.jobs.get(name)
    assert record is not None
    return record


def test_a_voice_of_another_account_is_spoken_with_that_accounts_key(world: World, control: SimulatorClient) -> None:
    control.voices(vendor="elevenlabs", account="backup", owns=[OWN])
    records = [served(world, f"message-{number}") for number in range(6)]
    assert {(record.status, record.provider) for record in records} == {(JobStatus.SUCCEEDED, "elevenlabs-tts")}
    ways = {tuple(attempt.outcome for attempt in record.attempts) for record in records}
    assert ways >= {(Outcome.INVALID_REQUEST, Outcome.DELIVERED)}  # one of them began with the other account's key
    assert ways <= {(Outcome.INVALID_REQUEST, Outcome.DELIVERED), (Outcome.DELIVERED,)}
    assert set(control.paid().values()) == {1}
    assert list(world.states.load("elevenlabs")) == []


def test_a_voice_that_no_account_has_is_the_next_providers(world: World, control: SimulatorClient) -> None:
    control.voices(vendor="elevenlabs", account="a third", owns=[OWN])
    record = served(world)
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "openai-tts")
    asked = [attempt.provider for attempt in record.attempts if attempt.code == "voice_not_found"]
    assert asked == ["elevenlabs-tts", "elevenlabs-tts"]
    assert list(world.states.load("elevenlabs")) == []
