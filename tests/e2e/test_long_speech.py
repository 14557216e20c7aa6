"""A text that no model takes at once, on the deployed template: one file, one event, each part bought once."""

from __future__ import annotations

import io
import wave
from array import array

import pytest

from mediarelay.job_records.contract import JobRecord
from tests.builders.requests import tts
from tests.harness.deployed import Relay

pytestmark = pytest.mark.stack

SENTENCE = "On day {} the keeper counts the ships that pass the lighthouse, and writes each of them down. "
SILENT = 32767 * 10 ** (-40 / 20)


def test_sixty_thousand_characters_become_one_file(relay: Relay) -> None:
    text = "".join(SENTENCE.format(number) for number in range(650))[:60_000]
    request = tts(text, request_id="e2e-long", providers=["openai-tts", "elevenlabs-tts"], input={"format": "wav"})
    relay.publish([request])
    (event,) = relay.await_events(["e2e-long"])["e2e-long"]
    assert (event.status, len(event.outputs)) == ("succeeded", 1), event.error
    jobs = relay.jobs("e2e-long")
    whole, parts = jobs.pop("e2e-long"), jobs.values()
    assert whole.parts_done == whole.parts_total == len(parts) >= 15
    assert {part.provider for part in parts} == {event.provider}
    assert event.cost_usd == pytest.approx(sum(part.cost_usd for part in parts))
    paid = relay.simulator.client.paid()
    assert (len(paid), set(paid.values())) == (len(parts), {1}), "each part was bought once, and nothing else was"
    lengths = [len(samples(relay, part)) for part in sorted(parts, key=lambda part: part.request_id)]
    heard = samples(relay, whole)
    assert len(heard) == pytest.approx(sum(lengths), rel=0.01)
    joints = [sum(lengths[: number + 1]) for number in range(len(lengths) - 1)]
    assert max(abs(heard[at] - heard[at - 1]) for at in joints) < SILENT
    assert [one.request_id for one in relay.events_of(jobs)] == [], "parts are told of by their whole alone"


def samples(relay: Relay, record: JobRecord) -> array[int]:
    (output,) = record.outputs
    bucket = relay.stack.outputs["ResultsBucketName"]
    body = relay.stack.client("s3").get_object(Bucket=bucket, Key=output.key)["Body"].read()
    with wave.open(io.BytesIO(body)) as file:
        return array("h", file.readframes(file.getnframes()))
