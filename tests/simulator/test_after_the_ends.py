"""On the day after OpenAI's speech and ElevenLabs' premade voices have ended, over the vendors' own wires."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from mediarelay.http.connections import RequestsHttp
from mediarelay.job_records.contract import JobRecord
from mediarelay.keys.parsing import keys_from
from mediarelay.providers import listing
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.listening import heard
from tests.builders.requests import message, tts
from tests.doubles.clock import ManualClock
from tests.doubles.keys import FixedKeys
from tests.harness.local_aws import REGION, local_aws
from tests.harness.worker import World, on_aws, worker
from tools.local.simulator import simulator_keys
from tools.simulator.client import SimulatorClient
from tools.simulator.process import SimulatorProcess

TEXT = "on the seventh of January."
SIMULATED_SECONDS = 0.06  # of what each character takes to say
AFTER = datetime(2027, 1, 7, 9, 0, tzinfo=UTC).timestamp()


@pytest.fixture
def world(simulator: SimulatorProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world on that day, with keys of every vendor."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with local_aws() as account:
        made = on_aws(account, ManualClock(AFTER))
        made.source = FixedKeys(keys_from(simulator_keys()))
        made.http = RequestsHttp(made.clock, allow_plain_http=True)
        made.base_urls = listing.base_urls({}, simulator.urls)
        yield made


def spoken(world: World, name: str, **wanted: object) -> JobRecord:
    """What became of a request that names neither a provider, a model nor a voice."""
    service, sent_at = worker(world), round(world.clock.now() * 1000)
    asked = message(tts(f"{name}, {TEXT}", input=wanted), message_id=name, sent_at=sent_at)
    service.handle(asked, worker_ends_at=world.ends_at)
    service.end_batch(worker_ends_at=world.ends_at)
    record = world.jobs.get(name)
    assert record is not None
    return record


def test_default_speech_is_served_by_one_vendor_after_the_other_as_each_is_taken_down(
    world: World, control: SimulatorClient
) -> None:
    served: list[str] = []
    while (record := spoken(world, f"message-{len(served)}")).status is JobStatus.SUCCEEDED:
        vendor = listing.providers()[str(record.provider)].vendor
        assert vendor not in served
        served.append(vendor)
        control.fault(vendor=vendor, status=503)
    assert len(served) >= 5
    assert not {"openai", "elevenlabs"} & {listing.providers()[each.provider].vendor for each in record.attempts}
    assert set(control.paid().values()) == {1}


@pytest.mark.parametrize("format_", ["mp3", "wav", "opus", "aac", "flac", "pcm"])
def test_every_format_plays_as_long_as_what_the_vendor_said(
    world: World, control: SimulatorClient, format_: str
) -> None:
    text = f"{format_}, {TEXT * 4}"
    record = spoken(world, "message-1", format=format_, text=text)
    assert record.status is JobStatus.SUCCEEDED
    (output,) = record.outputs
    file = io.BytesIO()
    world.media.read(output.key, file)
    seconds, _ = heard(file.getvalue(), format_)
    assert seconds == pytest.approx(len(text) * SIMULATED_SECONDS, rel=0.02)
    assert set(control.paid().values()) == {1}
