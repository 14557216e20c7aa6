"""Stores that refuse for half a minute in the middle of 300 requests: nothing lost, nothing bought twice."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.builders.requests import tts
from tests.harness.chatter import say
from tests.harness.deployed import Relay, until

pytestmark = pytest.mark.stack

REQUESTS = 300
OUTAGE_SECONDS = 30.0
BEFORE = 60  # are published while all is well, and the outage begins in the middle of them
# (service, the output that names the store): what is refused.
STORES = {
    "jobs": ("dynamodb", "JobsTableName"),
    "bucket": ("s3", "ResultsBucketName"),
    "topic": ("sns", "MediaResultsTopicArn"),
    "telemetry": ("dynamodb", "TelemetryTableName"),
}


@pytest.mark.parametrize("store", STORES)
def test_a_store_that_refuses_costs_neither_a_request_nor_a_second_purchase(relay: Relay, store: str) -> None:
    relay.simulator.client.fault(kind="latency", seconds=0.3)
    service, output = STORES[store]
    requests = [tts(f"{store} away {n}", request_id=f"{store}-{n}") for n in range(REQUESTS)]
    ids = [request["request_id"] for request in requests]
    relay.publish(requests[:BEFORE])
    until(lambda: relay.events_of(ids), "the first event")
    troubled = relay.proxy.troubled
    with relay.proxy.trouble(service, relay.stack.outputs[output]):
        relay.publish(requests[BEFORE:])
        until(lambda: relay.proxy.troubled > troubled, "a call to the store")
        relay.await_events(ids, max_wait=OUTAGE_SECONDS)
    say(f"{relay.proxy.troubled - troubled} calls refused")
    begun = time.monotonic()
    events = relay.await_events(ids)
    say(f"everything settled {time.monotonic() - begun:.1f} s after the store's return")
    assert Counter(event.status for found in events.values() for event in found) == {"succeeded": REQUESTS}
    paid = relay.simulator.client.paid()
    assert {text: count for text, count in paid.items() if count > 1} == {}
    assert relay.parked() == []
    if store == "telemetry":
        jobs = relay.jobs("telemetry-").values()
        assert {(job.claims, job.deferrals) for job in jobs} == {(1, 0)}, "not even delayed"
