"""The end of an outage on the deployed template, as operators see it, when nobody asks the provider any more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mediarelay.adapters.dynamodb_health import DynamoHealth
from mediarelay.core.circuit import Circuit
from mediarelay.core.health import Status
from mediarelay.services.judging import fresh_record, rewritten
from tests.support.deployed import Relay
from tools.outage.drill import Drill
from tools.outage.inbox import Inbox

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]

PATIENCE = 120.0


@pytest.fixture(scope="module")
def inbox(relay: Relay) -> Inbox:
    topic = relay.stack.outputs["ProviderAlertsTopicArn"]
    return Inbox(relay.stack.client("sqs"), relay.stack.client("sns"), topic, "outage-alerts")


def test_a_provider_that_is_down_and_then_idle_recovers_through_a_probe_with_no_traffic(
    relay: Relay, inbox: Inbox
) -> None:
    drill = Drill(relay.stack, relay.simulator.client, inbox, ["elevenlabs-audio"])
    records = DynamoHealth(relay.stack.client("dynamodb"), relay.stack.outputs["TelemetryTableName"])
    before, then = fresh_record(drill.provider, now=drill.began), drill.began - 200
    down = replace(before.judged, status=Status.DOWN, since=then, circuit=Circuit(then, then + 30, 1))
    known = records.get(drill.provider)
    seeded = rewritten(before, down, {}, now=then).model_copy(update={"version": known.version if known else 0})
    assert records.save(seeded)
    relay.stack.client("lambda").invoke(FunctionName=relay.stack.outputs["ProbeProvidersFunctionName"], Payload=b"{}")
    ((_, resolved),) = drill.until("its end", lambda: drill.told("resolved"), patience=PATIENCE)
    assert (resolved.status, resolved.previous_status) == ("idle", "down")
    assert drill.calls() == []
