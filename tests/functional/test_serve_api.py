"""serve_api and authorize_request, by events as API Gateway sends them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from functions.authorize_request import app as authorize_app
from functions.serve_api import app
from mediarelay.api.access import ACCESS, PREFIX
from mediarelay.aws.stores import to_item
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.judgement import Status
from mediarelay.keys.contract import PoolKey, PoolState
from mediarelay.keys.dynamodb import DynamoPools
from mediarelay.metrics.series.dynamodb import DynamoSeries
from mediarelay.metrics.series.rolling import SPAN_SECONDS, Point, Series
from mediarelay.providers.registry import ALL_PROVIDERS
from tests.harness.function_events import KEY, ORDER, http_event, metric_records, metrics, now_ms
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import TELEMETRY

Acquire = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(deployed: Deployed) -> Acquire:
    app.application.cache_clear()
    assert deployed.aws.dynamodb

    def call(method: str, path: str, body: Any = None, **query: str) -> tuple[int, Any]:
        answer = app.handler(http_event(method, path, body, query), Context())
        text = answer.get("body")
        return answer["statusCode"], json.loads(text) if text else None

    return call


def test_every_provider_is_listed_also_those_nobody_has_called(ask: Acquire) -> None:
    status, answer = ask("GET", "/api/v1/providers/health")
    assert status == 200
    found = {entry["provider"]: entry["effective_status"] for entry in answer["providers"]}
    assert found == dict.fromkeys(ALL_PROVIDERS, "idle")


def test_a_server_that_the_deployment_adds_is_listed_behind_the_others(
    ask: Acquire, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = {"id": "acme-1", "prices": {"per_million_characters": 2}}
    server = {"name": "acme", "base_url": "https://tts.acme.example", "models": [model], "voices": ["anna"]}
    monkeypatch.setenv("OPENAI_SERVERS", json.dumps([server, {**server, "name": "broken", "voices": []}]))
    _, answer = ask("GET", "/api/v1/providers/health")
    assert {entry["provider"] for entry in answer["providers"]} == {*ALL_PROVIDERS, "acme-tts"}


def test_one_provider_has_its_record_and_its_history(
    deployed: Deployed,
    ask: Acquire,
    aggregate: Callable[..., list[str]],
) -> None:
    aggregate(metric_records(deployed, metrics(12)))
    status, answer = ask("GET", "/api/v1/providers/openai-tts/health", seconds="60")
    assert (status, answer["effective_status"], answer["record"]["samples"]) == (200, "healthy", 12)
    assert sum(point["samples"] for point in answer["history"]) == 12
    assert answer["record"]["p50_ms"] == pytest.approx(250, rel=0.01)


def test_one_provider_has_six_hours_in_spans_of_five_minutes(deployed: Deployed, ask: Acquire) -> None:
    until = now_ms() // 1000 // SPAN_SECONDS * SPAN_SECONDS
    points = [Point(until - 2 * SPAN_SECONDS, 41, 2, 7, 812, 1411), Point(until - SPAN_SECONDS, 1, 0, 0, None, None)]
    DynamoSeries(deployed.aws.dynamodb, TELEMETRY).save(Series(until, {"openai-tts": points, "fal-flux": points[:1]}))
    _, answer = ask("GET", "/api/v1/providers/openai-tts/health")
    assert [tuple(each.values()) for each in answer["series"]] == [tuple(point) for point in points]


@pytest.mark.parametrize(
    "path", ["/api/v1/providers/nobody/health", "/api/v1/jobs/nothing", "/api/v1/nothing", "/nothing"]
)
def test_what_does_not_exist_is_404(ask: Acquire, path: str) -> None:
    assert ask("GET", path)[0] == 404


def test_an_override_is_forced_shown_and_taken_back(deployed: Deployed, ask: Acquire) -> None:
    status, forced = ask("POST", "/api/v1/overrides", ORDER)
    assert (status, forced["author"], forced["expires_at"] - forced["created_at"]) == (200, "ann", 60)
    assert ask("GET", "/api/v1/providers/openai-tts/health")[1]["effective_status"] == "down"
    assert [held["subject"] for held in ask("GET", "/api/v1/overrides")[1]["overrides"]] == ["provider:openai-tts"]
    record = DynamoHealth(deployed.aws.dynamodb, TELEMETRY).get("openai-tts")
    assert record is not None
    assert record.effective(forced["expires_at"]) is Status.IDLE
    subject = quote("provider:openai-tts", safe="")
    assert ask("DELETE", f"/api/v1/overrides/{subject}")[0] == 204
    assert ask("GET", "/api/v1/overrides")[1]["overrides"] == []
    assert ask("DELETE", f"/api/v1/overrides/{subject}")[0] == 404


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"expires_in_seconds": None}, 422),
        ({"expires_in_seconds": 10**7}, 422),
        ({"reason": " "}, 422),
        ({"force": "sideways"}, 422),
        ({"subject": "planet:mars"}, 422),
        ({"more": 1}, 422),
        ({"force": "disabled"}, 409),
        ({"subject": "provider:nobody"}, 404),
        ({"subject": f"key:openai:{KEY}", "force": "disabled"}, 404),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(ask: Acquire, change: dict[str, Any], status: int) -> None:
    order = {name: value for name, value in {**ORDER, **change}.items() if value is not None}
    assert ask("POST", "/api/v1/overrides", order)[0] == status


def test_a_key_is_disabled_by_its_id(deployed: Deployed, ask: Acquire) -> None:
    now = now_ms() / 1000
    pool = PoolState(
        vendor="openai",
        status="usable",
        since=now,
        at=now,
        keys=1,
        usable=1,
        members=[PoolKey(key_id=KEY, account="acme")],
    )
    DynamoPools(deployed.aws.dynamodb, TELEMETRY).save(pool)
    assert [key["status"] for key in ask("GET", "/api/v1/keys")[1]["keys"]] == ["active"]
    order = {**ORDER, "subject": f"key:openai:{KEY}", "force": "disabled"}
    assert ask("POST", "/api/v1/overrides", order)[0] == 200
    (key,) = ask("GET", "/api/v1/keys")[1]["keys"]
    assert (key["status"], key["override"]["reason"]) == ("disabled", "x")


def test_a_key_has_the_limits_that_its_account_draws_on(deployed: Deployed, ask: Acquire) -> None:
    now = now_ms() / 1000
    at: dict[str, Any] = {"status": "usable", "since": now, "at": now, "keys": 1, "usable": 1}
    pool = PoolState(vendor="openai", members=[PoolKey(key_id=KEY, account="acme")], **at)
    DynamoPools(deployed.aws.dynamodb, TELEMETRY).save(pool)
    mark = {"pace:mark": 0.5, "pace:marked_at": now - 600}
    slots = {"slot:0": now + 60, "slot:1": now - 60, f"block:{KEY}": now + 30}
    lease = {"tat": now, "used": 41, "refused": 2, "pace:base": 0.5, "pace:since": now - 600, "pace:ceiling": 0.5}
    place = {"pk": "LEASE#openai-tts", "sk": "acme"}
    deployed.aws.dynamodb.put_item(TableName=TELEMETRY, Item=to_item({**place, **lease, **mark, **slots}))
    (key,) = ask("GET", "/api/v1/keys")[1]["keys"]
    (limit,) = key["limits"]
    assert limit.pop("blocked_until") == pytest.approx(now + 30, abs=0.001)
    assert limit == {"provider": "openai-tts", "per_minute": 30.0, "taken": 41, "refused": 2, "at_work": 1}


def test_a_table_that_is_away_is_503(ask: Acquire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_TABLE", "gone")
    status, answer = ask("GET", "/api/v1/providers/health")
    assert (status, answer["code"]) == (503, "store_unavailable")


def test_where_no_budget_is_set_there_is_none(ask: Acquire) -> None:
    status, answer = ask("GET", "/api/v1/budgets")
    assert (status, answer["budgets"]) == (200, [])


def test_the_document_names_every_route(ask: Acquire) -> None:
    status, document = ask("GET", "/api/v1/openapi.json")
    assert status == 200
    named = {PREFIX + re.sub("<([a-z_]+)>", r"{\1}", name.split(" ")[1]) for name in ACCESS}
    assert set(document["paths"]) == named - {f"{PREFIX}/openapi.json"}


# --- tokens ---------------------------------------------------------------------------------------------------------

TOKEN = "t" * 32


def allowed(authorization: str | None) -> bool:
    headers = {"authorization": authorization} if authorization is not None else {}
    try:
        answer = authorize_app.handler({"version": "2.0", "headers": headers}, Context())
    except authorize_app.Unauthorized as error:
        return str(error) != "Unauthorized"  # the very word that API Gateway answers 401 to
    return bool(answer["isAuthorized"])


@pytest.fixture
def tokens(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    import boto3  # noqa: PLC0415

    monkeypatch.setenv("TOKENS_SECRET_ID", "api-tokens")
    authorize_app.service.cache_clear()
    client = boto3.client("secretsmanager")

    def put(value: Any) -> None:
        authorize_app.service.cache_clear()
        client.create_secret(Name="api-tokens", SecretString=json.dumps(value))

    assert deployed
    return put


def test_a_known_token_passes_and_anything_else_does_not(tokens: Callable[[Any], None]) -> None:
    later, earlier = now_ms() / 1000 + 60, now_ms() / 1000 - 1
    tokens(
        [
            {"name": "ann", "token": TOKEN, "expires_at": later},
            {"name": "old", "token": "o" * 32, "expires_at": earlier},
        ]
    )
    assert allowed(f"Bearer {TOKEN}")
    assert allowed(f"bearer {TOKEN}")
    for wrong in (None, "", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer " + "o" * 32):
        assert not allowed(wrong)


def test_without_a_readable_secret_nobody_passes(tokens: Callable[[Any], None]) -> None:
    assert not allowed(f"Bearer {TOKEN}")
    tokens([{"name": "ann", "token": TOKEN}])
    assert not allowed(f"Bearer {TOKEN}")
