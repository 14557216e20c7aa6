"""A refusal for the rate costs another key and no second purchase: at every vendor, over the adapter that ships."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mediarelay.aws.system_clock import SystemClock
from mediarelay.http.connections import RequestsHttp
from mediarelay.keys.parsing import keys_from
from mediarelay.providers.api import Provider
from mediarelay.providers.catalogue import default_model
from mediarelay.providers.credentials import ON, ROLE_VARIABLES, ApiKeys, FunctionRole
from mediarelay.providers.listing import base_urls
from mediarelay.providers.registry import PROVIDERS, VENDORS
from mediarelay.request.model import TtsInput
from mediarelay.vocabulary.kinds import JobStatus, Kind
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.calls import calling
from tests.builders.requests import message, tts
from tests.doubles.clock import ManualClock
from tests.doubles.keys import FixedKeys
from tests.doubles.queue import MemoryQueue
from tests.harness.worker import World, worker
from tools.simulator.client import SimulatorClient
from tools.simulator.process import SimulatorProcess
from tools.simulator.state.accounts import role_of

WITH_KEYS = {
    name: provider
    for name, provider in PROVIDERS.items()
    if provider.kind is Kind.TTS and isinstance(VENDORS[provider.vendor].credentials, ApiKeys)
}
POLLY = VENDORS["polly"].credentials
assert isinstance(POLLY, FunctionRole)
FORMATS = ("mp3", "wav", "pcm", "opus", "flac", "aac")
LONG_AGO = date(2020, 1, 1)


def spoken(provider: Provider) -> dict[str, Any]:
    """A request for speech in the first format that the provider has."""
    model = default_model(provider.name, LONG_AGO)
    made = (
        name for name in FORMATS if provider.refusal(calling(model, TtsInput(text="hello there", format=name))) is None
    )
    return {"kind": "tts", "input": {"text": "hello there", "format": next(made)}, "providers": [provider.name]}


def two_accounts(vendor: str) -> FixedKeys:
    """A key of each account that the simulator has by default."""
    credentials = VENDORS[vendor].credentials
    assert isinstance(credentials, ApiKeys)
    return FixedKeys(keys_from({credentials.plural: f"sim-{vendor}-key-1,sim-{vendor}-key-3"}))


@pytest.mark.parametrize("provider", WITH_KEYS.values(), ids=WITH_KEYS)
def test_a_429_is_answered_with_the_next_key(
    simulator: SimulatorProcess, control: SimulatorClient, provider: Provider
) -> None:
    control.fault(vendor=provider.vendor, error="rate_limited", count=1)
    clock = ManualClock()
    world = World(
        clock=clock,
        http=RequestsHttp(clock, allow_plain_http=True),
        base_urls=base_urls({}, simulator.urls),
        source=two_accounts(provider.vendor),
    )
    worker(world).handle(message(spoken(provider)), worker_ends_at=world.ends_at)
    record = world.jobs.get("message-1")
    assert record is not None
    assert record.status is JobStatus.SUCCEEDED
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.THROTTLED, Outcome.DELIVERED]
    assert len({attempt.key_id for attempt in record.attempts}) == 2
    assert list(control.paid(provider.vendor).values()) == [1]


def only_role() -> FixedKeys:
    """Polly's one credential, beside the keys of another vendor."""
    role = dict(zip(ROLE_VARIABLES, role_of("sim-polly-key-1"), strict=True))
    return FixedKeys(keys_from({**role, POLLY.allowed_by: ON, "OPENAI_API_KEYS": "sim-openai-key-1"}))


@pytest.mark.parametrize("providers", [["polly-tts"], ["polly-tts", "openai-tts"]], ids=["waits", "falls back"])
def test_without_a_key_to_rotate_to_it_waits_or_falls_back(
    simulator: SimulatorProcess, control: SimulatorClient, providers: list[str]
) -> None:
    control.fault(vendor="polly", operation="speech", error="rate_limited", count=1)
    clock = ManualClock(SystemClock().now())  # a signature holds the moment
    world = World(
        clock=clock,
        http=RequestsHttp(clock, allow_plain_http=True),
        base_urls=base_urls({}, simulator.urls),
        source=only_role(),
    )
    asked = message(tts("hello there", providers=providers, strategy="ordered"), sent_at=round(clock.now() * 1000))
    worker(world).handle(asked, worker_ends_at=world.ends_at)
    queue = world.queue
    assert isinstance(queue, MemoryQueue)
    while queue.delayed:
        clock.advance(queue.delayed[0].delay_seconds)
        for again in queue.due():
            worker(world).handle(again, worker_ends_at=world.ends_at)
    record = world.jobs.get("message-1")
    assert record is not None
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, providers[-1])
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.THROTTLED, Outcome.DELIVERED]
    assert sum(sum(control.paid(name).values()) for name in ("polly", "openai")) == 1
