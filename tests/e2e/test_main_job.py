"""The main job on the deployed template: real SAM CLI, real processes, a subscriber's point of view."""

from __future__ import annotations

import json

import pytest

from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.keys.states import KeyStatus, KeyVerdict
from tests.builders.requests import image, tts
from tests.harness.deployed import Relay, until
from tools.simulator.state.accounts import key_id

pytestmark = pytest.mark.stack


def test_a_message_written_by_hand_becomes_a_file_an_event_and_a_record(relay: Relay) -> None:
    (message_id,) = relay.publish(['{"kind":"tts","input":{"text":"written by hand"}}'])
    (event,) = relay.await_events([message_id])[message_id]
    assert (event.status, event.kind, len(event.outputs)) == ("succeeded", "tts", 1)
    bucket, _, key = event.outputs[0].s3_uri.removeprefix("s3://").partition("/")
    stored = relay.stack.client("s3").get_object(Bucket=bucket, Key=key)
    assert (stored["ContentType"], stored["ContentLength"]) == (event.outputs[0].content_type, event.outputs[0].bytes)
    assert relay.jobs(message_id)[message_id].attempts[0].outcome == "delivered"


def test_a_message_sent_many_times_at_once_is_bought_once(relay: Relay) -> None:
    request = tts("sent ten times", request_id="e2e-duplicate")
    relay.publish([request] * 10)
    relay.publish([tts("the last of the line", request_id="e2e-after")])
    relay.await_events(["e2e-after"])
    assert len(relay.await_events(["e2e-duplicate"])["e2e-duplicate"]) == 1
    assert relay.simulator.client.paid()["sent ten times"] == 1


def test_a_settled_job_is_not_served_again(relay: Relay) -> None:
    request = image("asked twice", request_id="e2e-settled")
    for copy in ("e2e-first", "e2e-second"):
        relay.publish([request])
        relay.await_events(["e2e-settled"])
        relay.publish([tts(f"after {copy}", request_id=copy)])
        relay.await_events([copy])
    assert relay.simulator.client.paid()["asked twice"] == 1


def test_bad_neighbours_are_rejected_with_a_cause_and_harm_nobody(relay: Relay) -> None:
    good = [tts(f"good {number}", request_id=f"e2e-good-{number}") for number in range(6)]
    bad = ["{", '{"kind":"song"}', json.dumps(tts("x", request_id="e2e-bad", volume=11)), "[]"]
    ids = relay.publish([*good[:3], *bad, *good[3:]])[3:7]
    events = relay.await_events([f"e2e-good-{number}" for number in range(6)])
    assert {event.status for found in events.values() for event in found} == {"succeeded"}
    relay.await_events([ids[0], ids[1], "e2e-bad", ids[3]])
    parked = {message["Body"]: message["MessageAttributes"] for message in relay.parked()}
    assert set(parked) == set(bad)
    assert all(facts["error_code"]["StringValue"] and facts["error_message"] for facts in parked.values())


def test_a_limited_key_is_rotated_in_the_same_invocation(relay: Relay) -> None:
    relay.simulator.client.fault(vendor="openai", error="rate_limited", count=1)
    requests = [tts(f"rotated {n}", request_id=f"e2e-rotated-{n}", providers=["openai-tts"]) for n in range(6)]
    relay.publish(requests)
    events = relay.await_events([request["request_id"] for request in requests])
    assert {event.status for found in events.values() for event in found} == {"succeeded"}
    assert sum(event.key_rotations for found in events.values() for event in found) == 1


def test_a_rejected_key_is_known_to_workers_that_never_met_it(relay: Relay) -> None:
    """How soon workers that already run hear of it is tested in virtual time."""
    client, bad = relay.simulator.client, "sim-elevenlabs-key-1"
    client.fault(vendor="elevenlabs", error="bad_key", key=bad)
    for wave in range(2):
        requests = [
            tts(f"benched {n}", request_id=f"e2e-benched-{wave}-{n}", providers=["elevenlabs-tts"]) for n in range(30)
        ]
        before = calls_with(relay, bad)
        relay.publish(requests)
        events = relay.await_events([request["request_id"] for request in requests])
        assert {event.status for found in events.values() for event in found} == {"succeeded"}
        if wave == 0:
            assert calls_with(relay, bad) > before, "somebody had to find out"
            until(lambda: rejected_keys(relay, "elevenlabs"), "a verdict in the table")
            relay.restart_workers()
    assert calls_with(relay, bad) == before


def rejected_keys(relay: Relay, vendor: str) -> list[KeyVerdict]:
    """What every worker can know."""
    states = DynamoKeyStates(relay.stack.client("dynamodb"), relay.stack.outputs["TelemetryTableName"])
    return [verdict for verdict in states.load(vendor) if verdict.status is KeyStatus.REJECTED]


def calls_with(relay: Relay, key: str) -> int:
    """How often the simulator saw a key."""
    rows = relay.simulator.client.stats()["rows"]
    return sum(row["requests"] for row in rows if row["key_id"] == key_id(key))


def test_all_that_a_provider_down_costs_is_a_fallback(relay: Relay) -> None:
    relay.simulator.client.fault(vendor="openai", operation="image", status=503)
    relay.publish(
        [image("fallback", request_id="e2e-fallback", strategy="ordered", providers=["openai-image", "fal-flux"])]
    )
    (event,) = relay.await_events(["e2e-fallback"])["e2e-fallback"]
    assert (event.status, event.provider) == ("succeeded", "fal-flux")
