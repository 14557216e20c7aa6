"""A server that no code knows is bought from over the adapter that ships: it is the simulator's, at another path."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mediarelay.http.connections import RequestsHttp
from mediarelay.job_records.contract import JobRecord
from mediarelay.keys.parsing import CREDENTIALS
from mediarelay.keys.secrets_manager import EnvironmentKeys
from mediarelay.providers.listing import base_urls
from mediarelay.providers.openai.parsing import parse_servers
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import message, tts
from tests.doubles.clock import ManualClock
from tests.harness.worker import World, worker
from tools.simulator.client import SimulatorClient
from tools.simulator.process import SimulatorProcess

# The simulator's Groq speaks OpenAI's shape at a path of its own; here nothing says that it is Groq.
KEYS = {"ACME_API_KEYS": "sim-groq-key-1,sim-groq-key-3"}
MODEL = "canopylabs/orpheus-v1-english"
WAV: dict[str, Any] = {"input": {"format": "wav"}, "providers": ["acme-tts"]}


@pytest.fixture
def world(simulator: SimulatorProcess) -> World:
    servers = json.dumps(
        [
            {"name": "broken", "base_url": "http://elsewhere.example", "models": [], "voices": []},
            {
                "name": "acme",
                "base_url": simulator.urls["GROQ_BASE_URL"],
                "models": [
                    {"id": MODEL, "limits": {"text_characters": 50}, "prices": {"per_million_characters": 7.0}},
                    {
                        "id": "canopylabs/orpheus-arabic-saudi",
                        "prices": {"per_million_characters": 9.0},
                        "voices": [{"id": "noura", "languages": ["ar"]}],
                    },
                ],
                "voices": [{"id": name, "languages": ["en"]} for name in ("hannah", "troy")],
                "formats": ["wav"],
            },
        ]
    )
    added, clock = parse_servers(servers, local=True), ManualClock()
    return World(
        clock=clock,
        http=RequestsHttp(clock, allow_plain_http=True),
        source=EnvironmentKeys(KEYS, added),
        base_urls=base_urls({}, {}, added.vendors),
        openai_servers=servers,
    )


def served(world: World, request: dict[str, Any]) -> JobRecord:
    worker(world).handle(message(request), worker_ends_at=world.ends_at)
    record = world.jobs.get("message-1")
    assert record is not None
    return record


def test_speech_is_bought_at_its_price_and_a_429_costs_another_key(world: World, control: SimulatorClient) -> None:
    control.fault(vendor="groq", error="rate_limited", count=1)
    record = served(world, tts("hello there", **WAV))
    assert record.status is JobStatus.SUCCEEDED
    assert [attempt.outcome for attempt in record.attempts] == [Outcome.THROTTLED, Outcome.DELIVERED]
    assert len({attempt.key_id for attempt in record.attempts}) == 2
    assert record.cost_usd == pytest.approx(11 * 7e-6)
    assert control.paid("groq") == {"hello there": 1}


def test_its_limits_and_voices_are_its_own(world: World, control: SimulatorClient) -> None:
    record = served(world, tts("x" * 51, **WAV))
    assert record.status is JobStatus.REJECTED
    assert record.error is not None
    assert "input.text: 51 characters; acme-tts takes at most 50" in record.error.message
    assert control.paid("groq") == {}


def test_a_language_that_only_another_of_its_models_speaks_is_spoken_by_that_model(world: World) -> None:
    record = served(world, tts("marhaba", **{**WAV, "input": {"format": "wav", "language": "ar"}}))
    assert (record.status, record.voice) == (JobStatus.SUCCEEDED, "noura")
    assert record.cost_usd == pytest.approx(7 * 9e-6)


def test_it_is_asked_beside_the_others_and_a_faulty_entry_is_not(world: World) -> None:
    assert served(world, tts("hello", input={"format": "wav"})).provider == "acme-tts"
    faults = world.source.faults()
    assert list(faults) == ["broken"]
    assert "broken" not in CREDENTIALS
