"""What the demo complains of: results that are not as intended, and what an outage came to."""

from __future__ import annotations

import json

import pytest

from mediarelay.alerts.contract import Alert
from mediarelay.announce.contract import ResultEvent
from mediarelay.vocabulary.outcome import Outcome
from tools.local.demo.scenario import Case
from tools.local.demo.verdict import complaints, of_outage, overpaid
from tools.local.outage.calls import ProviderCall

IDS = ["a", "b"]
TRIALS = [ProviderCall(130.0, 130.05, Outcome.DELIVERED), ProviderCall(130.1, 130.2, Outcome.DELIVERED)]
OVERLAPPING = [TRIALS[0], ProviderCall(130.01, 130.1, Outcome.DELIVERED)]


def results(**status: str) -> dict[str, ResultEvent]:
    return {name: ResultEvent.model_construct(request_id=name, status=came) for name, came in status.items()}


def alerts(*events: str, incident: str = "one") -> list[Alert]:
    return [Alert.model_construct(event=event, incident_id=incident) for event in events]


SERVED = results(a="succeeded", b="succeeded")
TOLD = {"SQS": alerts("opened", "resolved"), "HTTP": alerts("opened", "resolved")}


def test_a_result_of_too_few_calls_and_rotations_is_complained_of() -> None:
    case = Case("limited", "{}", calls=2, rotations=1, provider="qwen-tts")
    event = ResultEvent.model_construct(status="succeeded", provider="qwen-tts", attempts=[None], key_rotations=0)
    assert list(complaints([case], {"limited": [event]})) == [
        "limited: 1 calls instead of 2",
        "limited: 0 key rotations instead of 1",
    ]


@pytest.mark.parametrize(("given", "allowed"), [({}, 1), ({"timestamps": "word"}, 2)])
def test_a_text_is_paid_once_and_its_times_once_more(given: dict[str, str], allowed: int) -> None:
    case = Case("spoken", json.dumps({"kind": "tts", "input": {"text": "hello", **given}}))
    assert list(overpaid([case], {"hello": allowed})) == []
    assert list(overpaid([case], {"hello": allowed + 1})) == [f"spoken: paid {allowed + 1} times for 1 results"]


def test_an_outage_that_nobody_suffered_from_and_everybody_was_told_of_once_is_well() -> None:
    assert list(of_outage(IDS, SERVED, TOLD, TRIALS)) == []


@pytest.mark.parametrize(
    "came", [results(a="succeeded", b="failed"), results(a="succeeded")], ids=["failed", "without a result"]
)
def test_each_request_must_succeed(came: dict[str, ResultEvent]) -> None:
    (complaint,) = of_outage(IDS, came, TOLD, TRIALS)
    assert "1 of 2 requests" in complaint


@pytest.mark.parametrize(
    "received",
    [
        alerts("opened"),
        alerts("opened", "opened", "resolved"),
        [*alerts("opened"), *alerts("resolved", incident="two")],
        [],
    ],
    ids=["not resolved", "told twice", "of two incidents", "told nothing"],
)
def test_each_subscriber_must_be_told_of_one_incident_and_of_its_end(received: list[Alert]) -> None:
    (complaint,) = of_outage(IDS, SERVED, TOLD | {"HTTP": received}, TRIALS)
    assert "HTTP" in complaint


def test_a_provider_must_be_tried_by_one_call_at_a_time() -> None:
    (complaint,) = of_outage(IDS, SERVED, TOLD, OVERLAPPING)
    assert "overlapped" in complaint
