"""Which voice speaks, met by a worker over real adapters: AWS's and the vendors' own wires."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from mediarelay.announce.announcing import result_event
from mediarelay.http.connections import RequestsHttp
from mediarelay.job_records.contract import JobRecord
from mediarelay.keys.parsing import keys_from
from mediarelay.providers.listing import base_urls
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.voices.parsing import shipped_book
from tests.builders.requests import message, tts
from tests.doubles.clock import ManualClock
from tests.doubles.keys import FixedKeys
from tests.harness.local_aws import REGION, local_aws
from tests.harness.worker import World, on_aws, worker
from tools.local.demo.calendar_story import end_by
from tools.simulator.client import SimulatorClient
from tools.simulator.process import SimulatorProcess

AFTER = datetime(2027, 1, 7, 9, 0, tzinfo=UTC).timestamp()
OWN = "Own0Voice0Of0Account"
PREMADE = "JBFqnCBsd6RMkjVDRZzb"
KEYS = {
    "OPENAI_API_KEYS": "sim-openai-key-1",
    "GEMINI_API_KEYS": "sim-gemini-key-1",
    "ASSEMBLYAI_API_KEYS": "sim-assemblyai-key-1",
    "ELEVENLABS_API_KEYS": json.dumps(
        [{"key": "sim-elevenlabs-key-1", "account": "main"}, {"key": "sim-elevenlabs-key-3", "account": "backup"}]
    ),
}
# Written as an operator writes it: JSON in a field beside the keys.
NARRATOR = json.dumps(
    {
        "narrator": {
            "gender": "male",
            "languages": ["en"],
            "at": {"elevenlabs-tts": {"id": OWN, "account": "backup"}, "openai-tts": "onyx"},
        }
    }
)


def begin(world: World, moment: float) -> None:
    """Let the world's time begin at a moment."""
    world.clock = ManualClock(moment)
    world.http = RequestsHttp(world.clock, allow_plain_http=True)


@pytest.fixture
def source() -> FixedKeys:
    return FixedKeys(keys_from(KEYS))


@pytest.fixture
def world(simulator: SimulatorProcess, source: FixedKeys, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with local_aws() as account:
        made = on_aws(account, ManualClock(AFTER))
        made.source = source
        begin(made, AFTER)
        made.base_urls = base_urls({}, simulator.urls)
        yield made


def served(world: World, *, name: str = "message-1", providers: list[str] | None = None, **asked: object) -> JobRecord:
    fields = {"providers": providers, "strategy": "ordered"} if providers else {}
    at = round(world.clock.now() * 1000)
    body = message(tts("hello there", input=asked, **fields), message_id=name, sent_at=at)
    service = worker(world)
    service.handle(body, worker_ends_at=world.ends_at)
    service.end_batch(worker_ends_at=world.ends_at)
    record = world.jobs.get(name)
    assert record is not None
    return record


def test_after_openais_end_its_voice_is_spoken_by_an_equivalent_and_the_event_says_so(world: World) -> None:
    record = served(world, voice="alloy", providers=["openai-tts", "assemblyai-tts"])
    event = result_event(record, lambda key: (f"s3://bucket/{key}", "https://example.org"), AFTER)
    assert event.status is JobStatus.SUCCEEDED
    assert (event.provider, event.voice, event.voice_substituted) == ("assemblyai-tts", "aai-jane", True)


def test_the_simulated_vendors_lose_what_has_ended_by_a_day(control: SimulatorClient) -> None:
    assert end_by(date(2026, 12, 1), control) == []
    assert end_by(date(2027, 1, 7), control) == ["every model of openai-tts", "every premade voice of elevenlabs-tts"]


@pytest.mark.parametrize(("stage", "provider"), [("local", "assemblyai-tts"), ("prod", "openai-tts")])
def test_a_day_is_rehearsed_locally_and_nowhere_else(world: World, stage: str, provider: str) -> None:
    begin(world, datetime(2026, 12, 1, 9, 0, tzinfo=UTC).timestamp())
    world.variables = {"STAGE": stage, "CALENDAR_DAY": "2027-01-07"}
    assert served(world, providers=["openai-tts", "assemblyai-tts"]).provider == provider


def test_before_its_end_openai_speaks_itself(world: World) -> None:
    begin(world, datetime(2027, 1, 5, 9, 0, tzinfo=UTC).timestamp())
    record = served(world, voice="alloy", providers=["openai-tts"])
    assert (record.provider, record.voice, record.voice_substituted) == ("openai-tts", "alloy", False)


def test_exactly_a_voice_that_only_ended_models_have_is_refused_with_each_reason(world: World) -> None:
    record = served(world, voice="alloy", voice_policy="exact")
    assert record.error is not None
    assert record.status is JobStatus.REJECTED
    assert "openai-tts model gpt-4o-mini-tts was retired on 2027-01-06" in record.error.message
    assert "voice: alloy; gemini-tts does not have the voice itself, and voice_policy is exact" in record.error.message


def test_exactly_a_foreign_accounts_voice_rotates_to_the_account_that_has_it(
    world: World, control: SimulatorClient
) -> None:
    control.voices(vendor="elevenlabs", account="backup", owns=[OWN])
    ways = set()
    for number in range(6):
        record = served(world, name=f"message-{number}", voice=OWN, voice_policy="exact")
        assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "elevenlabs-tts")
        assert (record.voice, record.voice_substituted) == (OWN, False)
        ways.add(tuple(attempt.code for attempt in record.attempts))
    assert ways <= {("voice_not_found", None), (None,)}
    assert set(control.paid().values()) == {6}


def test_a_voice_whose_account_the_book_knows_is_asked_with_its_keys_at_once(
    world: World, source: FixedKeys, control: SimulatorClient
) -> None:
    source.others["VOICES"] = NARRATOR
    control.voices(vendor="elevenlabs", account="backup", owns=[OWN])
    for number in range(6):
        record = served(world, name=f"message-{number}", voice="narrator", voice_policy="exact")
        assert [attempt.code for attempt in record.attempts] == [None]
        assert (record.provider, record.voice, record.voice_substituted) == ("elevenlabs-tts", OWN, False)


def test_an_operators_voice_fails_over_to_one_of_its_kind(
    world: World, source: FixedKeys, control: SimulatorClient
) -> None:
    source.others["VOICES"] = NARRATOR
    control.fault(vendor="elevenlabs", error="server_error")
    record = served(world, voice="narrator", providers=["elevenlabs-tts", "assemblyai-tts"])
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "assemblyai-tts")
    assert record.voice is not None
    spoke = next(voice for voice in shipped_book().voices["assemblyai-tts"] if voice.id == record.voice)
    assert (spoke.gender, record.voice_substituted) == ("male", True)


def test_elevenlabs_is_not_offered_for_a_default_voice_that_has_ended_and_says_why(world: World) -> None:
    record = served(world, providers=["elevenlabs-tts"])
    assert record.error is not None
    assert record.error.message == "voice: elevenlabs-tts has no default voice today; name one that it has"


def test_elevenlabs_speaks_by_default_with_the_voice_that_the_operator_gave_it(world: World, source: FixedKeys) -> None:
    at = {"elevenlabs-tts": {"id": OWN, "default": True}}
    source.others["VOICES"] = {"house": {"gender": "female", "at": at}}
    record = served(world, providers=["elevenlabs-tts"])
    assert (record.status, record.voice, record.voice_substituted) == (JobStatus.SUCCEEDED, OWN, False)


def test_the_result_of_a_voice_that_is_about_to_end_warns(world: World) -> None:
    begin(world, datetime(2026, 12, 10, 9, 0, tzinfo=UTC).timestamp())
    record = served(world, providers=["elevenlabs-tts"])
    assert record.status is JobStatus.SUCCEEDED
    assert record.warnings == [f"elevenlabs-tts voice {PREMADE} ends on 2026-12-31"]


def test_a_bad_voice_of_the_operator_harms_no_other(world: World, source: FixedKeys) -> None:
    source.others["VOICES"] = {
        "house": {"gender": "female", "at": {"elevenlabs-tts": OWN}},
        "broken": {"gender": "soft", "at": {"elevenlabs-tts": OWN}},
    }
    assert served(world, voice="house", voice_policy="exact").voice == OWN
    record = served(world, name="message-2", voice="broken")
    assert record.status is JobStatus.REJECTED
