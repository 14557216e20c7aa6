"""The functions of long texts, put to all the work they can have."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import responses

from functions.speak_part import app as speak_app
from functions.steer_speech import app as steer_app
from mediarelay.job_records.contract import PART
from mediarelay.long_jobs.transfer.s3 import S3Upload
from mediarelay.long_speech.originals import Originals
from mediarelay.long_speech.speech_state import SpeechPart, SpeechState
from mediarelay.request.model import TtsRequest
from mediarelay.request.parsing import parse_message
from mediarelay.results.result_store import prefix_of
from mediarelay.results.s3 import S3Media
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import Kind
from tests.builders.requests import tts
from tests.doubles.speech_vendors import spoken
from tests.harness.function_events import sqs_record
from tests.harness.functions import OPENAI_SPEECH, Context, Deployed
from tests.harness.local_aws import BUCKET, JOBS, TELEMETRY
from tests.privilege.calls import by_the_test

TEXT = "The keeper counts the ships, and writes each of them down. " * 110
SLOW_DOWN = {"error": {"message": "slow", "type": "tokens", "code": "rate_limit_exceeded"}}
NAMES = ("request_id", "original", "received_at", "expires_at", "providers")


def dispatch_long_texts(deployed: Deployed) -> None:
    """Started, sent again while it runs and after it was lost, and cancelled."""
    for number in range(2):
        deployed.dispatch(sqs_record(_request("long"), f"m-2{number}"))
    with by_the_test():
        name = deployed.aws.speech_machine_arn.replace(":stateMachine:", ":execution:")
        deployed.aws.executions.stop_execution(executionArn=f"{name}:long")
    deployed.dispatch(sqs_record(_request("long"), "m-22"))
    deployed.dispatch(sqs_record({"cancel": "long"}, "m-23"))


def speak_everything(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """Spoken, taken over from a worker that stored it, refused for the rate, and spoken by the function's role."""
    state = _planned(deployed, "spoken")
    first, second = state["job"]["missing"]
    vendors.post(OPENAI_SPEECH, body=spoken(TEXT), content_type="audio/wav")
    assert _speak(state, first)["next"] == "done"
    with by_the_test():
        _abandon(deployed, f"spoken{PART}{first['number']:04d}-{first['fingerprint'][:8]}")
    _speak(state, first)
    vendors.reset()
    vendors.post(OPENAI_SPEECH, status=429, json=SLOW_DOWN, headers={"retry-after": "40"})
    assert _speak(state, second)["next"] == "wait"
    state = _planned(deployed, "by-role", provider="polly-tts")
    vendors.post(re.compile(r"https://polly\..+"), body=spoken(TEXT)[44:], content_type="audio/pcm")
    for part in state["job"]["missing"][:1]:  # none where Polly is off
        _speak(state, part)
    assert any(item["pk"]["S"].startswith("METRIC#") for item in deployed.aws.items(TELEMETRY))


def steer_everything(deployed: Deployed, _vendors: responses.RequestsMock) -> None:
    """Planned, joined, a whole whose upload breaks off, and an execution that ended while a worker held a part."""
    state = _planned(deployed, "joined")
    for part in state["job"]["missing"]:
        _store(deployed, "joined", part, {"status": {"S": "succeeded"}})
    with patch.object(S3Upload, "complete", _away):
        assert _steer(state)["job"]["next"] == "wait"
    state["job"]["reuse_key"] = "#0123"
    assert _steer(state)["job"]["next"] == "done"
    state = _planned(deployed, "ended")
    _store(deployed, "ended", state["job"]["missing"][0], {"status": {"S": "running"}, "lease_until": {"N": "2"}})
    begun = json.dumps({"job": {**state["job"], "parts": [], "missing": []}})
    steer_app.handler({"detail": {"status": "ABORTED", "input": begun}}, Context())


SPEECH_WORK: dict[str, Callable[[Deployed, responses.RequestsMock], None]] = {
    "SpeakPartFunction": speak_everything,
    "SteerSpeechFunction": steer_everything,
}


def _request(request_id: str, provider: str = "openai-tts") -> dict[str, Any]:
    return tts(TEXT, request_id=request_id, providers=[provider], input={"format": "wav"})


def _planned(deployed: Deployed, request_id: str, provider: str = "openai-tts") -> dict[str, Any]:
    """The state of an execution whose parts are to be spoken."""
    now = round(time.time())
    request = parse_message(json.dumps(_request(request_id, provider)))
    assert isinstance(request, TtsRequest)
    with by_the_test():
        original = Originals(S3Media(deployed.aws.s3, BUCKET)).keep(request, request_id, now * 1000)
        facts = {"request_id": request_id, "status": "queued", "kind": "tts"}
        item = {name: {"S": value} for name, value in facts.items()}
        deployed.aws.dynamodb.put_item(TableName=JOBS, Item={**item, "received_at": {"N": "1"}})
    state = SpeechState(
        request_id=request_id,
        original=original,
        received_at=now * 1000,
        opened_at=now * 1000,
        expires_at=now + 3600,
        providers=[provider],
    )
    return _steer(state.to_state())


def _store(deployed: Deployed, request_id: str, part: dict[str, Any], facts: dict[str, Any]) -> None:
    """Leave a part as a worker does that has stored what it bought."""
    job_id = SpeechPart.model_validate(part).job_id(request_id)
    key = f"{prefix_of(Kind.TTS, round(time.time() * 1000), job_id)}openai-tts-0.wav"
    about = {"provider": "openai-tts", "model": "m", "key-id": "k", "cost-usd": "0.1", "index": "0", "outputs": "1"}
    output = {"key": {"S": key}, "content_type": {"S": "audio/wav"}, "bytes": {"N": "1"}, "sha256": {"S": "0"}}
    with by_the_test():
        deployed.aws.s3.put_object(Bucket=BUCKET, Key=key, Body=spoken("hello"), Metadata=about)
        item = {"request_id": {"S": job_id}, "received_at": {"N": "1"}, "outputs": {"L": [{"M": output}]}, **facts}
        deployed.aws.dynamodb.put_item(TableName=JOBS, Item=item)


def _away(_upload: S3Upload) -> None:
    raise StoreUnavailable("results bucket", "complete an upload", "SlowDown")


def _steer(state: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = steer_app.handler(state, Context())
    return answer


def _speak(state: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    task = {**{name: state["job"][name] for name in NAMES}, "part": part}
    answer: dict[str, Any] = speak_app.handler(task, Context())
    return answer


def _abandon(deployed: Deployed, job_id: str) -> None:
    """Leave the record as a worker does that dies over its settlement, after it stored what it bought."""
    deployed.aws.dynamodb.update_item(
        TableName=JOBS,
        Key={"request_id": {"S": job_id}},
        UpdateExpression="SET #s = :running, lease_until = :past REMOVE outputs",
        ExpressionAttributeNames={"#s": "status"},
        ExpressionAttributeValues={":running": {"S": "running"}, ":past": {"N": "2"}},
    )
