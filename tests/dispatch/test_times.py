"""When words are heard: files beside the speech, what they cost, and that the speech never waits for them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mediarelay.audio.times import read
from mediarelay.job_records.contract import JobRecord
from mediarelay.keys.parsing import keys_from
from mediarelay.providers.credentials import ON
from mediarelay.vocabulary.errors import Unreachable
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.keys import keys
from tests.builders.requests import tts
from tests.doubles.keys import FixedKeys
from tests.doubles.scripted_http import MEDIA, Answer, document, speech
from tests.harness.bench import Bench

TEXT = "Hello there. Bye"
POLLY, ELEVENLABS = "polly", "elevenlabs"
MARKS = b"\n".join(
    json.dumps({"time": time, "type": "word", "start": start, "end": start + len(word), "value": word}).encode()
    for time, start, word in [(10, 0, "Hello"), (400, 6, "there"), (1200, 13, "Bye")]
)


def elevenlabs(alignment: dict[str, Any] | None, audio: bytes = MEDIA["mp3"]) -> Answer:
    return document(
        200, {"audio_base64": base64.b64encode(audio).decode(), "alignment": alignment}, paid=True, character_cost=16
    )


def aligned(text: str) -> dict[str, Any]:
    return {
        "characters": list(text),
        "character_start_times_seconds": [at / 10 for at in range(len(text))],
        "character_end_times_seconds": [(at + 1) / 10 for at in range(len(text))],
    }


def asked(unit: str = "word", **fields: Any) -> Any:
    return tts(input={"text": TEXT, "timestamps": unit}, **fields)


def files(bench: Bench, record: JobRecord) -> dict[str, bytes]:
    return {output.content_type: bench.world.media.files[output.key] for output in record.outputs}


def words(bench: Bench, record: JobRecord) -> list[str]:
    return [span.text for span in read(files(bench, record)["application/json"])]


@pytest.fixture(autouse=True)
def vendors(bench: Bench) -> None:
    role = keys_from(
        {"POLLY_SPEECH": ON, "AWS_ACCESS_KEY_ID": "AKIA-1", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "x"}
    )
    bench.world.source = FixedKeys({**keys(elevenlabs=1, openai=1), **role})


@pytest.mark.parametrize(
    ("unit", "heard"), [("word", ["Hello", "there.", "Bye"]), ("sentence", ["Hello there.", "Bye"])]
)
def test_times_come_as_three_files_beside_the_speech(bench: Bench, unit: str, heard: list[str]) -> None:
    bench.http.always(ELEVENLABS, elevenlabs(aligned(TEXT)))
    record = bench.served(asked(unit, providers=["elevenlabs-tts"]))
    assert (record.status, record.warnings) == (JobStatus.SUCCEEDED, [])
    assert [output.key.rpartition("-")[2] for output in record.outputs] == ["0.mp3", "1.json", "2.srt", "3.vtt"]
    assert list(files(bench, record)) == ["audio/mpeg", "application/json", "application/x-subrip", "text/vtt"]
    assert words(bench, record) == heard
    assert [output.bytes for output in record.outputs] == [len(data) for data in files(bench, record).values()]


def test_who_does_not_tell_times_is_not_asked(bench: Bench) -> None:
    bench.http.always(ELEVENLABS, elevenlabs(aligned(TEXT)))
    record = bench.served(asked(providers=["openai-tts", "elevenlabs-tts"], strategy="ordered"))
    assert [attempt.provider for attempt in record.attempts] == ["elevenlabs-tts"]
    record = bench.served(asked(providers=["openai-tts"], request_id="nobody"))
    assert record.status is JobStatus.REJECTED
    assert record.error is not None
    assert record.error.message == "input.timestamps: word; openai-tts does not tell when a word is heard"


@pytest.mark.parametrize(
    "alignment",
    [None, {}, {**aligned(TEXT), "characters": ["H"]}, {**aligned("ab"), "character_end_times_seconds": [1, "soon"]}],
)
def test_without_times_in_the_answer_the_speech_is_delivered_with_a_warning(bench: Bench, alignment: Any) -> None:
    bench.http.always(ELEVENLABS, elevenlabs(alignment))
    record = bench.served(asked(providers=["elevenlabs-tts"]))
    assert (record.status, len(record.outputs)) == (JobStatus.SUCCEEDED, 1)
    assert record.warnings == ["elevenlabs-tts: the speech comes without its times: no_times"]


def test_an_answer_without_speech_is_paid_in_vain(bench: Bench) -> None:
    bench.http.always(ELEVENLABS, elevenlabs(aligned(TEXT), b""))
    record = bench.served(asked(providers=["elevenlabs-tts"]))
    assert (record.status, record.attempts[0].code is not None) == (JobStatus.FAILED, True)
    assert record.attempts[0].outcome == "unusable_delivery"


def test_polly_is_asked_a_second_time_and_both_calls_are_in_the_bill(bench: Bench) -> None:
    billed = {"x-amzn-requestcharacters": "16", "content-type": "audio/mpeg"}
    bench.http.plan(POLLY, Answer(200, MEDIA["mp3"], billed, paid=True), Answer(200, MARKS, billed, paid=True))
    record = bench.served(asked(providers=["polly-tts"]))
    assert words(bench, record) == ["Hello", "there.", "Bye"]
    assert record.cost_usd == pytest.approx(2 * 16 * 16e-6)
    (first, second, third) = read(files(bench, record)["application/json"])
    assert (first.start, first.end, second.start, third.start) == (0.01, 0.4, 0.4, 1.2)
    assert third.end > third.start
    assert sum(bench.http.paid.values()) == 2


def test_a_refusal_for_the_rate_is_waited_out(bench: Bench) -> None:
    throttled = document(400, {"message": "Rate exceeded"}, x_amzn_errortype="ThrottlingException")
    bench.http.plan(POLLY, speech("mp3"), throttled, Answer(200, MARKS, paid=True))
    record = bench.served(asked(providers=["polly-tts"]))
    assert (len(record.outputs), record.warnings) == (4, [])
    assert bench.clock.sleeps


@pytest.mark.parametrize(
    ("trouble", "code", "charged"),
    [
        (document(500, {"message": "x"}, x_amzn_errortype="ServiceFailureException"), "ServiceFailureException", 1),
        (Answer(200, b"", paid=True), "no_times", 2),
        (Unreachable("read_timeout", "no answer", sent=True), "read_timeout", 2),
        (Unreachable("connect_failed", "no connection", sent=False), "connect_failed", 1),
    ],
)
def test_whatever_becomes_of_the_second_call_the_speech_is_delivered(
    bench: Bench, trouble: Any, code: str, charged: int
) -> None:
    bench.http.plan(POLLY, speech("mp3"), trouble)
    record = bench.served(asked(providers=["polly-tts"]))
    assert (record.status, len(record.outputs)) == (JobStatus.SUCCEEDED, 1)
    assert record.warnings == [f"polly-tts: the speech comes without its times: {code}"]
    assert record.cost_usd == pytest.approx(charged * 16 * 16e-6)


def test_an_engine_that_is_not_known_to_tell_times_is_not_asked(bench: Bench) -> None:
    record = bench.served(asked(providers=["polly-tts"], model={"polly-tts": "generative"}))
    assert record.status is JobStatus.REJECTED


def test_what_is_found_of_a_worker_that_died_has_all_its_files(bench: Bench) -> None:
    bench.http.always(ELEVENLABS, elevenlabs(aligned(TEXT)))
    record = bench.served(asked(providers=["elevenlabs-tts"]))
    stored = bench.world.media.find("tts/2026/08/01/message-1/")
    assert [found.output for found in stored] == record.outputs
    assert {found.facts["outputs"] for found in stored} == {"4"}
