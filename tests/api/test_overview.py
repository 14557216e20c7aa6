"""The overview by events as API Gateway sends them: what it holds, what it costs, and what it says of parts away."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from botocore.client import BaseClient

from functions.serve_api import app
from mediarelay.alerts.contract import Alert, Severity
from mediarelay.alerts.dynamodb import DynamoAlertLog
from mediarelay.api.access import Caller
from mediarelay.api.contract import HealthOverview, OverrideOrder
from mediarelay.api.overview.overview import OverviewService
from mediarelay.api.tokens import Role
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.incident import Event
from mediarelay.health.judgement import Status
from mediarelay.health.records import fresh_record
from mediarelay.keys.contract import PoolKey, PoolState
from mediarelay.keys.dynamodb import DynamoKeyStates, DynamoPools
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.metrics.series.dynamodb import DynamoSeries
from mediarelay.metrics.series.rolling import SPAN_SECONDS, SPANS, Point, Series
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.clock import ManualClock
from tests.doubles.health import MemorySeries
from tests.harness.function_events import http_event, now_ms
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import TELEMETRY
from tools.bench.costs.item_size import item_bytes

ROOT = Path(__file__).parents[2]
PATH = "/api/v1/overview"
READ_BYTES = 4096
Ask = Callable[..., tuple[int, dict[str, Any], Any]]


@pytest.fixture
def ask(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Ask:
    monkeypatch.setenv("PICTURE_QUEUE_URL", deployed.aws.picture_url)
    app.application.cache_clear()

    def call(role: str = "operator", **headers: str) -> tuple[int, dict[str, Any], Any]:
        event = http_event("GET", PATH, caller={"token": "ann", "role": role}, headers=headers)
        answer = app.handler(event, Context())
        body = answer.get("body") or ""
        text = gzip.decompress(base64.b64decode(body)).decode() if answer["isBase64Encoded"] else body
        return answer["statusCode"], answer["headers"], json.loads(text) if text else None

    return call


@dataclass
class Reads:
    """Calls of DynamoDB by operation, and the read units that AWS would charge for what they returned."""

    calls: list[str] = field(default_factory=list)
    units: float = 0.0


@contextmanager
def counted() -> Iterator[Reads]:
    """Of whichever client."""
    reads, call = Reads(), BaseClient._make_api_call

    def counting(client: BaseClient, operation: str, params: dict[str, Any]) -> Any:
        answer = call(client, operation, params)
        reads.calls.append(operation)
        if client.meta.service_model.service_name == "dynamodb":
            items = answer.get("Items", [answer["Item"]] if "Item" in answer else [])
            rounded = max(1, math.ceil(sum(map(item_bytes, items)) / READ_BYTES))
            reads.units += rounded if params.get("ConsistentRead") else rounded / 2
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", counting)
        yield reads


def alert(number: int, event: Event = Event.OPENED) -> Alert:
    words = "seven of a hundred calls succeeded in the last five minutes; traffic goes to the others " * 3
    return Alert(
        alert_id=f"{number:013d}-openai-tts",
        incident_id=f"openai-tts-{number - number % 2}",
        event=event,
        subject="provider:openai-tts",
        severity=Severity.CRITICAL,
        provider="openai-tts",
        vendor="openai",
        status="down",
        previous_status="healthy",
        at=float(number),
        opened_at=float(number),
        summary="openai-tts is down: 7 % of 100 calls",
        reason=words[:150],
        what_to_do=words,
    )


def fill(deployed: Deployed) -> None:
    """Ten providers with six busy hours, thirty keys of six vendors, a third of which cool, and twenty alerts."""
    client, now = deployed.aws.dynamodb, now_ms() / 1000
    names = list(ALL_PROVIDERS)[:10]
    for name in names:
        record = fresh_record(name, now=now)
        figures = {"samples": 231, "success_rate": 0.994, "p50_ms": 812.0, "p95_ms": 1411.0, "status": Status.HEALTHY}
        assert DynamoHealth(client, TELEMETRY).save(record.model_copy(update=figures))
    until = round(now) - round(now) % SPAN_SECONDS
    points = [Point(until - (SPANS - n) * SPAN_SECONDS, 100 + n, n % 7, n % 5, 812, 1411) for n in range(SPANS)]
    DynamoSeries(client, TELEMETRY).save(Series(until, dict.fromkeys(names, points)))
    for vendor in ("openai", "elevenlabs", "gemini", "fal", "kling", "replicate"):
        members = [PoolKey(key_id=f"{vendor[:3].encode().hex()}{n:06d}", account=f"account-{n}") for n in range(5)]
        at = {"since": now, "at": now}
        DynamoPools(client, TELEMETRY).save(
            PoolState(vendor=vendor, status="usable", keys=5, usable=4, members=members, **at)
        )
        for key in members[:2]:
            DynamoKeyStates(client, TELEMETRY).save(
                KeyVerdict(
                    vendor, key.key_id, key.account, None, KeyStatus.COOLING, now + 60, 1, "rate_limited", now, True
                )
            )
    log = DynamoAlertLog(client, TELEMETRY)
    for number in range(20):
        log.add(alert(1_800_000_000 + number, Event.RESOLVED if number % 2 and number < 19 else Event.OPENED))


def test_an_empty_deployment_has_an_overview(ask: Ask) -> None:
    status, headers, found = ask()
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "application/json", "no-cache")
    assert [line["name"] for line in found["providers"]] == list(ALL_PROVIDERS)
    assert (found["stage"], found["warnings"], found["incidents"]) == ("dev", [], [])
    assert found["queue"] == {"waiting": 0, "delayed": 0, "in_flight": 0, "dead": 0}
    assert found["me"] == {"name": "ann", "role": "operator", "tenant": None}


def test_it_is_as_its_schema_says(deployed: Deployed, ask: Ask) -> None:
    fill(deployed)
    schema = json.loads((ROOT / "docs" / "schemas" / "overview.schema.json").read_text("utf-8"))
    jsonschema.validate(ask()[2], schema)


def test_ten_providers_and_thirty_keys_cost_twenty_read_units_and_fourteen_kilobytes(
    deployed: Deployed, ask: Ask
) -> None:
    fill(deployed)
    with counted() as reads:
        status, _, found = ask()
    assert status == 200
    assert sum(line["samples"] > 0 for line in found["providers"]) == 10
    assert sum(found["keys"]["counts"].values()) == 30
    assert reads.units <= 20, reads
    shown = {**found, "providers": found["providers"][:10]}
    assert len(json.dumps(shown, separators=(",", ":"))) <= 14 * 1024
    assert len(gzip.compress(json.dumps(shown).encode())) <= 4 * 1024


def test_its_figures_are_those_of_the_other_routes(deployed: Deployed, ask: Ask) -> None:
    fill(deployed)
    found = ask()[2]
    health = json.loads(app.handler(http_event("GET", "/api/v1/providers/health"), Context())["body"])
    keys = json.loads(app.handler(http_event("GET", "/api/v1/keys"), Context())["body"])["keys"]
    for line, each in zip(found["providers"], health["providers"], strict=True):
        record = each["record"] or {"samples": 0, "success_rate": None}
        figures = (each["provider"], each["effective_status"], record["samples"], record["success_rate"])
        assert (line["name"], line["status"], line["samples"], line["success_rate"]) == figures
    cooling = [key for key in keys if key["status"] == "cooling"]
    assert found["keys"]["counts"] == {"active": 30 - len(cooling), "cooling": len(cooling)}
    assert found["keys"]["not_active"] == cooling[: len(found["keys"]["not_active"])]


def test_two_spans_are_shown_as_one_and_the_newest_is_last(deployed: Deployed, ask: Ask) -> None:
    fill(deployed)
    line = ask()[2]["providers"][0]
    assert (len(line["done"]), line["done"][-1], line["done"][0]) == (36, 170 + 171, 100 + 101)
    assert sum(line["faults"]) == 211


def test_an_open_incident_stands_before_newer_ones_that_are_over(deployed: Deployed, ask: Ask) -> None:
    log = DynamoAlertLog(deployed.aws.dynamodb, TELEMETRY)
    log.add(alert(1_800_000_000))
    log.add(alert(1_800_000_002))
    log.add(alert(1_800_000_003, Event.RESOLVED))
    assert [line["event"] for line in ask()[2]["incidents"]] == ["opened", "resolved"]


def test_who_knows_it_already_is_told_that_nothing_changed(deployed: Deployed, ask: Ask) -> None:
    fill(deployed)
    _, headers, _ = ask()
    status, again, body = ask(**{"if-none-match": headers["ETag"]})
    assert (status, body, again["ETag"]) == (304, None, headers["ETag"])
    other = ask("viewer", **{"if-none-match": headers["ETag"]})
    assert (other[0], other[2]["me"]["role"]) == (200, "viewer")


def test_ten_viewers_within_two_seconds_are_one_computation(deployed: Deployed, ask: Ask) -> None:
    fill(deployed)
    ask()
    with counted() as reads:
        for _ in range(9):
            assert ask("viewer")[0] == 200
    assert reads.calls == []


def test_it_comes_compressed_to_who_takes_that(deployed: Deployed, ask: Ask) -> None:
    fill(deployed)
    _, headers, found = ask(**{"accept-encoding": "gzip, br"})
    assert headers["Content-Encoding"] == "gzip"
    assert found["stage"] == "dev"


def test_a_part_whose_store_is_away_is_named_and_the_rest_lives(
    deployed: Deployed, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(deployed)

    def away(*_: Any) -> Any:
        raise StoreUnavailable("telemetry table", "read alerts", "Throttled")

    monkeypatch.setattr(DynamoAlertLog, "latest", away)
    status, _, found = ask()
    assert (status, found["incidents"]) == (200, None)
    assert found["warnings"] == ["incidents: the telemetry table is away"]
    assert sum(found["keys"]["counts"].values()) == 30


def test_what_an_operator_forces_is_on_it(ask: Ask) -> None:
    order = OverrideOrder(subject="provider:openai-tts", force="down", reason="a drill", expires_in_seconds=60)
    event = http_event("POST", "/api/v1/overrides", order.model_dump(mode="json", exclude={"author"}))
    assert app.handler(event, Context())["statusCode"] == 200
    found = ask()[2]
    assert (found["overrides"][0]["reason"], found["providers"][0]["forced"]) == ("a drill", "down")
    assert found["providers"][0]["status"] == "down"


def test_ten_viewers_for_a_minute_are_at_most_forty_computations() -> None:
    clock, looks = ManualClock(), 0

    class Looked:
        def health(self) -> Any:
            nonlocal looks
            looks += 1
            return HealthOverview(now=clock.now(), providers=[])

        def away(self, *_: Any) -> Any:
            raise StoreUnavailable("telemetry table", "be read", "not here")

        overrides = keys = incidents = depth = usage_today = away

    operations: Any = Looked()
    service = OverviewService(operations, operations, MemorySeries(), stage="prod", clock=clock)
    for _ in range(10 * 60 // 5):  # each asks every five seconds, all at moments of their own
        assert service.overview(Caller("ann", Role.VIEWER)).warnings
        clock.advance(0.5)
    assert looks <= 40
