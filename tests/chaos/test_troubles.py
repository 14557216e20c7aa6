"""Stores that throttle or answer slowly, connections that break, visibility that runs out: one small wave for each."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.builders.requests import tts
from tests.harness.chatter import say
from tests.harness.deployed import Relay, until

pytestmark = pytest.mark.stack

WAVE = 40
STORES = {
    "jobs": ("dynamodb", "JobsTableName"),
    "telemetry": ("dynamodb", "TelemetryTableName"),
    "bucket": ("s3", "ResultsBucketName"),
    "topic": ("sns", "MediaResultsTopicArn"),
}
TROUBLE_SECONDS = 6.0  # from the first call that met the trouble
BROKEN: dict[str, dict[str, Any]] = {
    "reset before the request was served": {"kind": "reset"},
    "reset after the work was done": {"kind": "reset_after"},
    "cut off in mid-body": {"kind": "truncate"},
    "slow drip": {"kind": "drip", "chunks": 4, "seconds_per_chunk": 0.3},
    "no answer": {"kind": "latency", "seconds": 2.5},
}


def wave(name: str, **fields: Any) -> list[dict[str, Any]]:
    slug = name.replace(" ", "-")
    return [tts(f"{name} {n}", request_id=f"{slug}-{n}", **fields) for n in range(WAVE)]


def outcome_of(relay: Relay, requests: list[dict[str, Any]]) -> Counter[str]:
    """Every request settled once, none bought twice; how many ended how."""
    events = relay.await_events([request["request_id"] for request in requests])
    assert {request_id: len(found) for request_id, found in events.items() if len(found) != 1} == {}
    paid = relay.simulator.client.paid()
    assert {text: count for text, count in paid.items() if count > 1} == {}
    ends = Counter(
        event.error.code if event.error else str(event.status) for found in events.values() for event in found
    )
    say(f"{dict(ends)}")
    return ends


@pytest.mark.parametrize("manner", ["throttle", "slow"])
@pytest.mark.parametrize("store", STORES)
def test_a_store_that_throttles_or_crawls_loses_nothing(relay: Relay, store: str, manner: Any) -> None:
    service, output = STORES[store]
    requests = wave(f"{store} {manner}")
    with relay.proxy.trouble(service, relay.stack.outputs[output], manner):
        published_and_troubled(relay, requests)
    assert outcome_of(relay, requests) == {"succeeded": WAVE}


def test_a_keys_secret_that_is_away_delays_and_fails_nothing(relay: Relay) -> None:
    """Workers that know the keys go on; new ones send their messages back for later."""
    requests = wave("secret away")
    relay.restart_workers()
    with relay.proxy.trouble("secretsmanager", "provider-keys"):
        published_and_troubled(relay, requests)
    assert outcome_of(relay, requests) == {"succeeded": WAVE}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_connection_buys_nothing_twice(relay: Relay, how: str) -> None:
    relay.simulator.client.fault(probability=0.3, **BROKEN[how])
    ends = outcome_of(relay, published(relay, wave(how)))
    assert set(ends) <= {"succeeded", "ambiguous_submit"}
    lost = relay.simulator.client.stats()["paid"] - ends["succeeded"]
    assert 0 <= lost <= ends["ambiguous_submit"], "a lost answer is told, not bought again"


def test_visibility_that_runs_out_in_mid_call_buys_nothing_twice(relay: Relay) -> None:
    """Messages come back while they are being served: the second worker finds the job held."""
    with relay.quick(function_seconds=60, visibility_seconds=1):
        relay.simulator.client.fault(kind="latency", seconds=2.0)
        assert outcome_of(relay, published(relay, wave("shown again"))) == {"succeeded": WAVE}


def published(relay: Relay, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    relay.publish(requests)
    return requests


def published_and_troubled(relay: Relay, requests: list[dict[str, Any]]) -> None:
    """Publish, and come back when the trouble has been met and has lasted, or has been outlived."""
    before = relay.proxy.troubled
    relay.publish(requests)
    until(lambda: relay.proxy.troubled > before, "a call to the store in trouble")
    relay.await_events([request["request_id"] for request in requests], max_wait=TROUBLE_SECONDS)
