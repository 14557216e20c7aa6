"""Health on the deployed template: an outage from its first fault to its end, as operators and publishers see it."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from tests.e2e.health_desk import OLD, HealthDesk, steady_requests
from tests.support.deployed import Relay

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def desk(relay: Relay) -> HealthDesk:
    return HealthDesk(relay)


def test_nothing_but_401_without_with_a_wrong_and_with_an_expired_token(desk: HealthDesk) -> None:
    paths = ["providers/health", "providers/openai-tts/health", "keys", "jobs/x", "overrides", "incidents", "nothing"]
    for token in (None, "wrong-" * 6, OLD):
        answers = [desk.get(f"/api/v1/{path}", token) for path in paths]
        assert {answer.status_code for answer in answers} == {401}
        assert {answer.text for answer in answers} == {'{"message":"Unauthorized"}'}
    assert desk.get("/api/v1/providers/health").status_code == 200


def test_the_page_is_served_to_anybody_and_holds_no_data(desk: HealthDesk) -> None:
    answer = desk.get("/", None)
    assert (answer.status_code, "openai-tts" in answer.text) == (200, False)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_an_outage_is_avoided_recorded_told_and_resolved(desk: HealthDesk, relay: Relay) -> None:
    simulator = relay.simulator.client
    with steady_requests(relay, "e2e-outage", per_second=10) as ids:
        desk.until(lambda: (desk.provider("openai-tts")["record"] or {}).get("samples", 0) >= 40, patience=120)
        fault = simulator.fault(vendor="openai", operation="speech", error="server_error")
        desk.until(lambda: desk.speech_calls("server_error"))
        first = time.time()
        (came, opened), *_ = desk.until(lambda: desk.told("opened"))
        assert (opened.provider, opened.status, opened.severity) == ("openai-tts", "down", "critical")
        assert came - first <= 5
        assert desk.provider("openai-tts")["effective_status"] == "down"
        time.sleep(max(0.0, first + 20 - time.time()))
        assert desk.speech_calls("server_error") <= 20  # two workers; most of these were under way already
        simulator.clear(fault)
        (_, resolved), *_ = desk.until(lambda: desk.told("resolved"), patience=90)
        assert resolved.incident_id == opened.incident_id
    events = relay.await_events(ids, patience=120)
    assert {event.status for found in events.values() for event in found} == {"succeeded"}
    assert all(len(found) == 1 for found in events.values())
    assert desk.provider("openai-tts")["effective_status"] == "healthy"
    ids_told = [alert.alert_id for _, alert in desk.alerts]
    assert len(ids_told) == len(set(ids_told))
    assert all(earlier[0] <= later[0] for earlier, later in pairwise(desk.alerts))
