"""Attempts as CloudWatch sees them, and the dashboard that looks for them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.emf import EmfMetrics
from mediarelay.vocabulary.outcome import Outcome
from tests.harness.template import load_template


def sample(capsys: pytest.CaptureFixture[str], phase: str) -> dict[str, Any]:
    """The log line of one attempt."""
    metric = AttemptMetric(
        provider="kling-video",
        key_id="0123456789ab",
        request_id="r-1",
        outcome=Outcome.ACCEPTED,
        started_at=1,
        latency_ms=80,
        phase=phase,
    )
    EmfMetrics("mediarelay").write([metric])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_poll_is_told_from_a_submit(capsys: pytest.CaptureFixture[str]) -> None:
    submit, poll = (sample(capsys, phase) for phase in ("submit", "poll"))
    assert (submit["phase"], poll["phase"]) == ("submit", "poll")
    assert submit["outcome"] == poll["outcome"] == "accepted"
    assert submit["AttemptLatency"] == [80.0]


def test_the_dashboard_looks_for_the_dimensions_that_a_function_writes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search names every dimension, the `service` that Powertools adds among them, or finds nothing."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "poll_job")
    (dimensions,) = sample(capsys, "poll")["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    body = load_template()["Resources"]["HealthDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    searched = re.findall(r"SEARCH\('\{mediarelay,([a-z,]+)\}", body)
    assert len(searched) == 2
    assert {frozenset(each.split(",")) for each in searched} == {frozenset(dimensions)}


def test_the_dashboard_is_json_and_its_attempts_leave_polls_out() -> None:
    body = load_template()["Resources"]["HealthDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    attempts, *_ = json.loads(body)["widgets"]
    assert 'NOT phase="poll"' in attempts["properties"]["metrics"][0][0]["expression"]
