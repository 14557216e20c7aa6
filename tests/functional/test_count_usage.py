"""count_usage by batches of the Jobs table's stream, and what the API tells of them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from functions.count_usage import app
from functions.serve_api import app as api_app
from tests.builders.requests import EPOCH_MS
from tests.harness.function_events import DONE, RUNNING, http_event, job_change
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import USAGE

Ask = Callable[..., dict[str, Any]]
SHARD = "shardId-00000001785585600000-0a1b2c3d"
SPENT = {"provider": "openai-tts", "model": "tts-1", "estimate_usd": 0.04, "state": "charged", "cost_usd": 0.03}
DAY = {"from": "2026-08-01", "to": "2026-08-01"}


def change(number: int, **fields: Any) -> dict[str, Any]:
    after = {**DONE, "model": "tts-1", "latency_ms": 900, "purchases": [SPENT], **fields}
    return job_change(number, RUNNING, after)


def count(*records: dict[str, Any], shard: str = SHARD) -> list[str]:
    """Run count_usage; the sequence numbers that failed."""
    answer = app.handler({"Records": list(records), "shardId": shard, "state": {}}, Context())
    assert answer["state"] == {}, "a source with a window takes no answer without one"
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


@pytest.fixture
def ask(deployed: Deployed) -> Iterator[Ask]:
    assert deployed.aws.dynamodb
    for cached in (app.service, api_app.application):
        cached.cache_clear()

    def call(accept: str | None = None, **query: str) -> dict[str, Any]:
        event = http_event("GET", "/api/v1/usage", None, query)
        if accept:
            event["headers"]["accept"] = accept
        answer: dict[str, Any] = api_app.handler(event, Context())
        return answer

    yield call
    for cached in (app.service, api_app.application):
        cached.cache_clear()


def test_settled_jobs_are_told_by_the_api_each_once(ask: Ask) -> None:
    batch = [change(1, tenant="acme"), change(2, tenant="acme"), change(3, tenant="zoo", status="failed")]
    for records in (batch, batch[1:], batch, [*batch, change(4)]):
        assert count(*records) == []
    found = json.loads(ask(**DAY)["body"])
    assert [(each["tenant"], each["jobs"], each["failed"]) for each in found["totals"]] == [
        ("", 1, 0),
        ("acme", 2, 0),
        ("zoo", 1, 1),
    ]
    assert (found["whole"]["jobs"], found["whole"]["cost_usd"], found["whole"]["seconds"]) == (4, 0.12, 3.6)
    assert found["totals"][1]["model"] == "tts-1"


def test_it_is_added_up_by_what_is_asked_for(ask: Ask) -> None:
    count(change(1, tenant="acme"), change(2, tenant="zoo", settled_at=EPOCH_MS + 86_400_000))
    found = json.loads(ask(**{**DAY, "to": "2026-08-02"}, by="provider")["body"])
    (total,) = found["totals"]
    assert (total["provider"], total["jobs"], "tenant" in total, found["by"]) == ("openai-tts", 2, False, ["provider"])
    by_two = json.loads(ask(**{**DAY, "to": "2026-08-02"}, by="tenant,day")["body"])
    assert [(each["tenant"], each["day"]) for each in by_two["totals"]] == [
        ("acme", "2026-08-01"),
        ("zoo", "2026-08-02"),
    ]
    assert json.loads(ask(**DAY, by="provider")["body"])["whole"]["jobs"] == 1


@pytest.mark.parametrize("how", [{"format": "csv"}, {"accept": "text/csv"}])
def test_it_comes_as_csv(ask: Ask, how: dict[str, str]) -> None:
    count(change(1, tenant="acme"))
    answer = ask(**DAY, **how)
    assert answer["headers"]["Content-Type"] == "text/csv"
    (line,) = csv.DictReader(io.StringIO(answer["body"]))
    assert (line["day"], line["tenant"], line["jobs"], float(line["cost_usd"])) == ("2026-08-01", "acme", "1", 0.03)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"from": "2026-08-02", "to": "2026-08-01"}, 409),
        ({"from": "2026-01-01", "to": "2026-08-01"}, 409),
        ({"from": "2026-02-30"}, 409),
        ({"from": "0001-01-01", "to": "9999-12-31"}, 409),
        ({"from": "yesterday"}, 422),
        ({"to": ""}, 422),
        ({"by": "colour"}, 422),
        ({"format": "xml"}, 422),
    ],
    ids=["backwards", "too long", "no such day", "all", "no day", "nothing", "no dimension", "no format"],
)
def test_what_cannot_be_told_is_refused(ask: Ask, query: dict[str, str], status: int) -> None:
    answer = ask(**query)
    code = {409: "invalid_range", 422: "invalid_request"}[status]
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (status, code)


def test_the_last_week_is_told_unasked(ask: Ask) -> None:
    found = json.loads(ask()["body"])
    assert found["first"] < found["last"]
    assert found["totals"] == []


def test_what_is_no_job_does_not_stop_the_others(ask: Ask) -> None:
    assert count(job_change(1, None, {"request_id": "x", "status": "failed"}), change(2)) == []
    assert json.loads(ask(**DAY)["body"])["whole"]["jobs"] == 1


def test_the_end_of_a_window_has_no_records(ask: Ask) -> None:
    assert count() == []
    assert ask(**DAY)["statusCode"] == 200


def test_a_table_that_is_away_leaves_the_whole_batch(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USAGE_TABLE", "gone")
    monkeypatch.setattr("mediarelay.aws.system_clock.SystemClock.sleep", lambda *_: None)
    app.service.cache_clear()
    assert count(change(7), change(8)) == [f"{7:021d}"]
    monkeypatch.setenv("USAGE_TABLE", USAGE)
    app.service.cache_clear()
    assert count(change(7), change(8)) == []
    assert json.loads(ask(**DAY)["body"])["whole"]["jobs"] == 2
