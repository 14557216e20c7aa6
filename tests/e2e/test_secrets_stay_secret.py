"""No piece of a key in any place that people or programs can read, after success and every kind of failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders.requests import image, tts
from tests.harness.deployed import Relay, until
from tests.harness.key_watch import leaks, pieces

pytestmark = pytest.mark.stack

FAULTS: dict[str, dict[str, Any]] = {
    "rate-limited": {"error": "rate_limited"},
    "bad-key": {"vendor": "elevenlabs", "error": "bad_key"},
    "no-quota": {"vendor": "elevenlabs", "error": "quota_exhausted"},
    "denied": {"vendor": "openai", "error": "permission_denied"},
    "refused": {"vendor": "openai", "error": "content_rejected"},
    "broken": {"error": "server_error"},
    "reset": {"kind": "reset"},
    "truncated": {"kind": "truncate"},
    "page": {"kind": "wrong_content_type"},
}


def test_the_search_finds_a_piece() -> None:
    assert leaks(f"a line with {min(pieces())} in it") == {min(pieces())}


def test_no_piece_of_a_key_is_to_be_found_after_every_kind_of_failure(relay: Relay) -> None:
    for name, fault in FAULTS.items():
        relay.simulator.client.fault(**fault, match=f"say {name}", count=3)
        relay.publish([tts(f"say {name}", request_id=f"secret-{name}"), image(f"say {name}")])
    relay.publish(["{", tts("no such provider", request_id="secret-nobody", providers=["nobody-tts"])])
    wanted = {f"secret-{name}" for name in FAULTS}
    until(lambda: wanted <= at_rest(relay), "the end of every path, or its wait for keys and providers,")
    relay.await_events(["secret-nobody"])
    everything = read_everything(relay)
    for name in FAULTS:
        assert f"secret-{name}" in everything, "the search saw the path"
    assert leaks(everything) == set()


def at_rest(relay: Relay) -> set[str]:
    """The jobs that nobody works on."""
    jobs = relay.jobs("secret-").items()
    return {request_id for request_id, job in jobs if job.status.settled or job.status == "deferred"}


def read_everything(relay: Relay) -> str:
    """Logs, tables, queues, what subscribers received, the heads of all objects, and the local AWS's own log."""
    outputs = relay.stack.outputs
    tables = [
        relay.stack.client("dynamodb").scan(TableName=outputs[name])["Items"]
        for name in ("JobsTableName", "TelemetryTableName", "UsageTableName")
    ]
    s3, bucket = relay.stack.client("s3"), outputs["ResultsBucketName"]
    stored = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    heads = [s3.head_object(Bucket=bucket, Key=found["Key"]) for found in stored]
    received = [event.model_dump(mode="json") for event in relay.events]
    told = [relay.parked(), received, tables, heads]
    return json.dumps(told, default=str) + relay.function_logs() + relay.stack.ministack.log.read_text(errors="replace")
