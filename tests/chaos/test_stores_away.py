"""Stores that refuse for half a minute in the middle of 300 requests: nothing lost, nothing bought twice."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from tests.builders.requests import tts
from tests.harness.chatter import say
from tests.harness.deployed import Relay

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

REQUESTS = 300
OUTAGE_SECONDS = 30.0
SETTLED_WITHIN_SECONDS = 60.0
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
    refused = relay.proxy.refused
    publishing = threading.Thread(target=publish_slowly, args=(relay, requests))
    publishing.start()
    time.sleep(1.0)
    with relay.proxy.trouble(service, relay.stack.outputs[output]):
        relay.await_events(ids, patience=OUTAGE_SECONDS)
    say(f"{relay.proxy.refused - refused} calls refused")
    publishing.join()
    begun = time.monotonic()
    events = relay.await_events(ids, patience=3 * SETTLED_WITHIN_SECONDS)
    say(f"everything settled {time.monotonic() - begun:.1f} s after the store's return")
    assert relay.proxy.refused > refused
    assert Counter(event.status for found in events.values() for event in found) == {"succeeded": REQUESTS}
    paid = relay.simulator.client.paid()
    assert {text: count for text, count in paid.items() if count > 1} == {}
    assert relay.parked() == []
    if store == "telemetry":
        jobs = relay.jobs("telemetry-").values()
        assert {(job.claims, job.deferrals) for job in jobs} == {(1, 0)}, "not even delayed"


def publish_slowly(relay: Relay, requests: list[dict[str, object]]) -> None:
    """Over ten seconds, so that the outage begins in the middle of the work."""
    for start in range(0, len(requests), 30):
        relay.publish(requests[start : start + 30])
        time.sleep(1.0)
