"""Listing jobs by HTTP: pages that stay what they are, filters, and whose jobs a caller sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from functions.serve_api import app
from mediarelay.api.access import PREFIX
from mediarelay.aws.stores import to_item
from mediarelay.job_records.job_spec import DAY_MS, listed
from tests.harness.function_events import DONE, OPERATOR, http_event, now_ms
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import JOBS

PUBLISHER = {"token": "pat", "role": "publisher", "tenant": "acme"}
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(deployed: Deployed) -> Ask:
    app.application.cache_clear()
    assert deployed.aws.dynamodb

    def call(caller: Mapping[str, str] = OPERATOR, **query: Any) -> tuple[int, Any]:
        given = {name: str(value) for name, value in query.items()}
        answer = app.handler(http_event("GET", f"{PREFIX}/jobs", None, given, caller=caller), Context())
        return answer["statusCode"], json.loads(answer["body"])

    return call


def put(deployed: Deployed, job: str, received_at: int, **fields: Any) -> None:
    item = {**DONE, "request_id": job, "received_at": received_at, "listed": listed(job, received_at), **fields}
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item(item))


def pages(ask: Ask, caller: Mapping[str, str] = OPERATOR, **query: Any) -> list[list[str]]:
    """Ids page by page."""
    found: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        status, page = ask(caller, **query, **cursor)
        assert status == 200
        assert len(page["items"]) <= query.get("limit", 50)
        found.append([job["request_id"] for job in page["items"]])
        if not page["has_more"]:
            assert page["next_cursor"] is None
            return found
        cursor = {"cursor": page["next_cursor"]}


def test_the_newest_come_first_across_days_and_each_once(deployed: Deployed, ask: Ask) -> None:
    now = now_ms()
    moments = {f"order-{number}": now - number * DAY_MS // 7 for number in range(21)}
    for job, at in moments.items():
        put(deployed, job, at)
    found = pages(ask, since=0, limit=4)
    assert [job for page in found for job in page] == list(moments)
    assert [job for page in pages(ask, limit=100) for job in page] == list(moments)[:7], "of a day by default"
    only = pages(ask, since=moments["order-9"], until=moments["order-3"], limit=3)
    assert [job for page in only for job in page] == list(moments)[3:10]


def test_jobs_of_one_moment_are_parted_between_pages_and_none_is_lost(deployed: Deployed, ask: Ask) -> None:
    now = now_ms()
    for number in range(30):
        put(deployed, f"order-{number}", now)
    found = pages(ask, limit=4)
    assert sorted(job for page in found for job in page) == sorted(f"order-{number}" for number in range(30))


def test_a_page_stays_what_it_is_while_jobs_come_and_change(deployed: Deployed, ask: Ask) -> None:
    now = now_ms() - 1000
    for number in range(6):
        put(deployed, f"order-{number}", now - number)
    _, first = ask(limit=3)
    put(deployed, "newer", now + 1)
    put(deployed, "order-4", now - 4, status="failed", provider="fal-flux")
    _, second = ask(limit=3, cursor=first["next_cursor"])
    assert [job["request_id"] for job in (*first["items"], *second["items"])] == [f"order-{n}" for n in range(6)]


def test_few_among_many_are_found_though_a_page_is_short(deployed: Deployed, ask: Ask) -> None:
    now = now_ms()
    for number in range(120):
        put(deployed, f"order-{number}", now - number, status="failed" if number % 60 == 59 else "succeeded")
    assert [job for page in pages(ask, status="failed", limit=1) for job in page] == ["order-59", "order-119"]


def test_filters_are_all_heeded(deployed: Deployed, ask: Ask) -> None:
    now = now_ms()
    put(deployed, "acme!one", now, tenant="acme", kind="image", provider="fal-flux")
    put(deployed, "acme!two", now, tenant="acme", status="running")
    put(deployed, "three", now)
    for query, expected in (
        ({"tenant": "acme"}, {"one", "two"}),
        ({"kind": "image"}, {"one"}),
        ({"status": "succeeded", "kind": "tts"}, {"three"}),
        ({"provider": "fal-flux", "status": "running"}, set()),
    ):
        assert {job["request_id"] for job in ask(**query)[1]["items"]} == expected


def test_a_publisher_sees_the_jobs_of_its_tenant_alone_and_no_id_of_another(deployed: Deployed, ask: Ask) -> None:
    now = now_ms()
    for number in range(60):
        tenant = "acme" if number % 20 == 0 else "other"
        put(deployed, f"{tenant}!order-{number}", now - number, tenant=tenant)
    assert [job for page in pages(ask, PUBLISHER, limit=1) for job in page] == ["order-0", "order-20", "order-40"]
    assert ask(PUBLISHER, tenant="other")[0] == 403
    status, page = ask(PUBLISHER, limit=1)
    assert (status, "other" in json.dumps(page)) == (200, False)


def test_a_cursor_that_is_none_and_one_of_the_far_future_are_no_trouble(ask: Ask) -> None:
    assert ask(cursor="nothing of ours")[0] == 422
    assert ask(cursor="9" * 14, since=0) == (200, {"items": [], "next_cursor": None, "has_more": False})
