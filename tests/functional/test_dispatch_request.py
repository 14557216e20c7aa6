"""dispatch_request, by events as SQS sends them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses

from tests.builders.requests import tts
from tests.doubles.scripted_http import MEDIA
from tests.harness.function_events import sqs_record
from tests.harness.functions import ELEVENLABS_SPEECH, OPENAI_SPEECH, Deployed
from tests.harness.local_aws import TELEMETRY

OPENAI: dict[str, Any] = {"providers": ["openai-tts"]}


@pytest.fixture
def speaking(vendors: responses.RequestsMock) -> responses.RequestsMock:
    vendors.post(OPENAI_SPEECH, body=MEDIA["mp3"], content_type="audio/mpeg")
    return vendors


def test_a_batch_of_ten_with_a_malformed_and_a_duplicate_message(
    deployed: Deployed, speaking: responses.RequestsMock
) -> None:
    records = [sqs_record(tts(f"text {n}", request_id=f"job-{n}", **OPENAI), f"m-{n}") for n in range(8)]
    records += [sqs_record("{", "m-bad"), sqs_record(tts("text 0", request_id="job-0", **OPENAI), "m-again")]
    assert deployed.dispatch(*records) == []

    assert [deployed.job(f"job-{n}")["status"]["S"] for n in range(8)] == ["succeeded"] * 8
    assert deployed.job("m-bad")["status"]["S"] == "rejected"
    assert len(speaking.calls) == 8
    assert len(deployed.aws.objects()) == 8
    (parked,) = deployed.aws.received(deployed.aws.dlq_url)
    assert parked["Body"] == "{"
    assert parked["MessageAttributes"]["error_code"]["StringValue"] == "not_json"


def test_a_result_lies_where_the_record_says(deployed: Deployed, speaking: responses.RequestsMock) -> None:
    del speaking
    deployed.dispatch(sqs_record(tts(request_id="job-1", **OPENAI), "m-1"))
    (output,) = (entry["M"] for entry in deployed.job("job-1")["outputs"]["L"])
    ((key, head),) = deployed.aws.objects().items()
    assert (key, head["ContentType"]) == (output["key"]["S"], "audio/mpeg")
    assert key.startswith("tts/")
    assert key.endswith("/job-1/openai-tts-0.mp3")


def test_the_attempts_of_a_batch_are_one_item_of_telemetry(deployed: Deployed, speaking: Any) -> None:
    del speaking
    deployed.dispatch(*(sqs_record(tts(f"{n}", **OPENAI), f"m-{n}") for n in range(5)))
    metrics = _eventually(lambda: [item for item in deployed.aws.items(TELEMETRY) if "attempts" in item])
    assert [(item["pk"]["S"][:-2], len(item["attempts"]["L"])) for item in metrics] == [("METRIC#openai-tts", 5)]


def _eventually(look: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Telemetry is flushed for two seconds at most and written in the background after that."""
    while not (found := look()):
        threading.Event().wait(0.05)
    return found


def test_a_throttled_batch_is_deferred_and_reported_as_done(
    deployed: Deployed, vendors: responses.RequestsMock
) -> None:
    error = {"error": {"message": "slow", "type": "tokens", "code": "rate_limit_exceeded"}}
    vendors.post(OPENAI_SPEECH, status=429, json=error, headers={"retry-after": "40"})
    assert deployed.dispatch(sqs_record(tts(request_id="job-1", **OPENAI), "m-1", trace="abc")) == []
    assert deployed.job("job-1")["status"]["S"] == "deferred"
    assert deployed.aws.received(deployed.aws.queue_url) == [], "the copy is not visible yet"
    waiting = deployed.aws.sqs.get_queue_attributes(QueueUrl=deployed.aws.queue_url, AttributeNames=["All"])
    assert waiting["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"


def test_a_deferred_copy_settles_the_job_it_was_copied_from(deployed: Deployed, speaking: Any) -> None:
    del speaking
    copied = {"mediarelay_request_id": "m-1", "mediarelay_sent_at": "1785585600000"}
    record = sqs_record(tts(timeout_seconds=86_400, **OPENAI), "m-2", **copied)
    deployed.dispatch(record)
    assert deployed.job("m-2") == {}
    assert deployed.job("m-1")["received_at"]["N"] == "1785585600000"


def test_only_the_message_that_cannot_be_finished_is_reported(
    deployed: Deployed, speaking: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A throttled message cannot be deferred while the request queue is gone; its neighbour is served all the same."""
    speaking.post(re.compile(ELEVENLABS_SPEECH), status=429, json={}, headers={"retry-after": "40"})
    monkeypatch.setenv("REQUEST_QUEUE_URL", deployed.aws.queue_url + "-gone")
    throttled = sqs_record(tts(request_id="job-0", providers=["elevenlabs-tts"]), "m-0")
    assert deployed.dispatch(throttled, sqs_record(tts(request_id="job-1", **OPENAI), "m-1")) == ["m-0"]
    assert deployed.job("job-1")["status"]["S"] == "succeeded"


def test_a_server_that_the_deployment_adds_serves_like_any_other(
    deployed: Deployed, vendors: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = {
        "name": "acme",
        "base_url": "https://tts.acme.example/v1",
        "models": [{"id": "acme-1", "prices": {"per_million_characters": 2}}],
        "voices": ["anna"],
    }
    monkeypatch.setenv("OPENAI_SERVERS", json.dumps([{**server, "name": "Wrong"}, server]))
    monkeypatch.setenv("ACME_API_KEYS", "fake-acme-key")
    vendors.post("https://tts.acme.example/v1/audio/speech", body=MEDIA["mp3"], content_type="audio/mpeg")
    assert deployed.dispatch(sqs_record(tts(request_id="job-1", providers=["acme-tts"]), "m-1")) == []
    job = deployed.job("job-1")
    assert (job["status"]["S"], job["provider"]["S"]) == ("succeeded", "acme-tts")
    (call,) = vendors.calls
    assert call.request.headers["authorization"] == "Bearer fake-acme-key"
    assert json.loads(call.request.body or b"") == {
        "model": "acme-1",
        "input": "hello",
        "response_format": "mp3",
        "voice": "anna",
    }


@pytest.mark.parametrize("policy", ["listed", "pass"])
def test_an_option_that_is_not_listed_is_refused_or_passes_as_the_deployment_says(
    deployed: Deployed, vendors: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setenv("OPTIONS_POLICY", policy)
    vendors.assert_all_requests_are_fired = False
    vendors.post(re.compile(ELEVENLABS_SPEECH), body=MEDIA["mp3"], content_type="audio/mpeg")
    asked = tts(request_id="job-1", providers=["elevenlabs-tts"], options={"elevenlabs-tts": {"audio_effects": "hall"}})
    assert deployed.dispatch(sqs_record(asked, "m-1")) == []
    record = deployed.job("job-1")
    if policy == "listed":
        assert record["status"]["S"] == "rejected"
        said = record["error"]["M"]["message"]["S"]
        assert "audio_effects: not an option of eleven_multilingual_v2 (allowed: " in said
        (parked,) = deployed.aws.received(deployed.aws.dlq_url)
        assert parked["MessageAttributes"]["error_code"]["StringValue"] == "invalid_request"
        assert len(vendors.calls) == 0
    else:
        assert record["status"]["S"] == "succeeded"
        assert json.loads(vendors.calls[0].request.body or b"")["audio_effects"] == "hall"
        assert float(record["purchases"]["L"][0]["M"]["estimate_usd"]["N"]) == 0.8


@pytest.mark.parametrize(
    ("policy", "excerpt", "request_"),
    [
        ("none", None, None),
        ("excerpt", "x" * 200, None),
        ("full", None, {"kind": "tts", "input": {"text": "x" * 300}, "providers": ["openai-tts"]}),
    ],
)
def test_a_record_keeps_of_a_request_what_the_deployment_says(
    deployed: Deployed,
    vendors: responses.RequestsMock,
    monkeypatch: pytest.MonkeyPatch,
    policy: str,
    excerpt: str | None,
    request_: Any,
) -> None:
    monkeypatch.setenv("KEEP_REQUESTS", policy)
    vendors.post(OPENAI_SPEECH, body=MEDIA["mp3"], content_type="audio/mpeg")
    deployed.dispatch(sqs_record(tts("x" * 300, request_id="job-1", providers=["openai-tts"]), "m-1"))
    record = deployed.job("job-1")
    assert record.get("excerpt", {}).get("S") == excerpt
    assert json.loads(record.get("request", {}).get("S", "null")) == request_
    (attempt,) = record["attempts"]["L"]
    assert int(record["claimed_at"]["N"]) <= int(attempt["M"]["started_at"]["N"]) <= int(record["settled_at"]["N"])


def test_a_slow_call_delays_nobody_elses_settling(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """The slow answer comes only once its neighbour has been settled; were they served in turn, it never would."""
    neighbour_settled = threading.Event()
    patient = threading.Thread(target=_watch, args=(deployed, "quick", neighbour_settled))

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        slow = json.loads(request.body or b"{}")["input"] == "slow"
        seen = neighbour_settled.wait(timeout=600) if slow else True
        return (200 if seen else 500), {}, MEDIA["mp3"]

    vendors.add_callback("POST", OPENAI_SPEECH, callback=answer, content_type="audio/mpeg")
    patient.start()
    deployed.dispatch(
        sqs_record(tts("slow", request_id="slow", **OPENAI), "m-1"),
        sqs_record(tts("quick", request_id="quick", **OPENAI), "m-2"),
    )
    patient.join()
    settled = [int(deployed.job(name)["settled_at"]["N"]) for name in ("quick", "slow")]
    assert deployed.job("slow")["status"]["S"] == "succeeded"
    assert settled == sorted(settled)


def _watch(deployed: Deployed, request_id: str, settled: threading.Event) -> None:
    """Poll until the job is settled, about as long as the slow call waits."""
    for _ in range(12_000):
        if deployed.job(request_id).get("status", {}).get("S") == "succeeded":
            settled.set()
            return
        threading.Event().wait(0.05)
