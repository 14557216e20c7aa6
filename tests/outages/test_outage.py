"""Outages on the deployed template, as publishers and operators see them.

How many calls still reach the provider, and how soon everybody knows, is measured by `make bench BENCH=outage`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mediarelay.health.circuit.record import Circuit
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.judgement import Status
from mediarelay.health.records import fresh_record, rewritten
from tests.harness.deployed import PATIENCE, Relay
from tools.local.outage.calls import one_at_a_time, trials
from tools.local.outage.drill import NOBODY, ORDER, Drill, workers
from tools.local.outage.inbox import Inbox

pytestmark = pytest.mark.stack

WORKERS = 4  # one alone barely keeps up behind the proxy; `make bench BENCH=outage`, which has none, measures both


@pytest.fixture(scope="module")
def inbox(relay: Relay) -> Inbox:
    topic = relay.stack.outputs["ProviderAlertsTopicArn"]
    return Inbox(relay.stack.client("sqs"), relay.stack.client("sns"), topic, "outage-alerts")


def test_in_an_outage_nobody_fails_operators_are_told_once_and_single_trials_end_it(relay: Relay, inbox: Inbox) -> None:
    drill, name = Drill(relay.stack, relay.simulator.client, inbox, (*ORDER[1:], ORDER[0])), "outage"
    with workers(relay.stack, WORKERS), drill.traffic(name, per_second=10.0, at_most=NOBODY) as ids:
        drill.warm(50, max_wait=PATIENCE)
        with drill.broken():
            drill.until("the alert", lambda: drill.told("opened"), max_wait=PATIENCE)
            down = drill.record()
        assert down is not None
        assert down.circuit.is_open
        drill.until("its end", lambda: drill.told("resolved"), max_wait=PATIENCE)
        drill.serves_again(max_wait=PATIENCE)
    well = drill.record()
    assert well is not None
    everyone_was_served_once(relay, ids, name)
    tried = trials(drill.all_calls(max_wait=PATIENCE), due=down.circuit.until, closed=well.since)
    assert tried
    assert one_at_a_time(tried)
    mine = [alert for _, alert in drill.alerts if alert.provider == drill.provider]
    assert [(alert.event, alert.status) for alert in mine] == [("opened", "down"), ("resolved", "healthy")]


def everyone_was_served_once(relay: Relay, ids: Sequence[str], name: str) -> None:
    events = relay.await_events(ids, max_wait=PATIENCE)
    assert [[event.status for event in events[each]] for each in ids] == [["succeeded"]] * len(ids)
    jobs = relay.jobs(name)
    assert {jobs[each].status for each in ids} == {"succeeded"}


def test_a_provider_that_is_down_and_then_idle_recovers_through_a_probe_with_no_traffic(
    relay: Relay, inbox: Inbox
) -> None:
    # Of a vendor that nobody was told of: a second beginning of one vendor within a minute waits for the minute's look.
    drill = Drill(relay.stack, relay.simulator.client, inbox, ["openai-image"])
    records = DynamoHealth(relay.stack.client("dynamodb"), relay.stack.outputs["TelemetryTableName"])
    before, then = fresh_record(drill.provider, now=drill.began), drill.began - 200
    down = replace(before.judged, status=Status.DOWN, since=then, circuit=Circuit(then, then + 30, 1))
    known = records.get(drill.provider)
    seeded = rewritten(before, down, {}, now=then).model_copy(update={"version": known.version if known else 0})
    assert records.save(seeded)
    drill.until("the alert", lambda: drill.told("opened"), max_wait=PATIENCE)  # an end is told of what was told
    relay.stack.client("lambda").invoke(FunctionName=relay.stack.outputs["ProbeProvidersFunctionName"], Payload=b"{}")
    ((_, resolved),) = drill.until("its end", lambda: drill.told("resolved"), max_wait=PATIENCE)
    assert (resolved.status, resolved.previous_status) == ("idle", "down")
    assert drill.calls() == []
