"""Budgets set by HTTP: in the parameter, with what held before in the audit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.serve_api import app
from mediarelay.api.access import PREFIX
from mediarelay.budgets.contract import parse_plan
from tests.harness.function_events import http_event
from tests.harness.functions import Context, Deployed

NAME = "/budgets"
BEFORE = {"stage": {"month_usd": 9000.0}, "tenants": {"acme": {"day_usd": 10.0}, "*": {"day_usd": 5.0}}}


def order(payer: str, **amounts: Any) -> tuple[int, Any]:
    app.application.cache_clear()
    body = {"payer": payer, "reason": "their order", **amounts}
    answer = app.handler(http_event("POST", f"{PREFIX}/budgets", body), Context())
    return answer["statusCode"], json.loads(answer["body"])


def written(deployed: Deployed) -> Any:
    return json.loads(deployed.aws.ssm.get_parameter(Name=NAME)["Parameter"]["Value"])


def test_a_payers_budget_is_replaced_and_the_others_stay(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETS_PARAMETER", NAME)
    assert deployed.aws.dynamodb
    deployed.aws.ssm.put_parameter(Name=NAME, Type="String", Value=json.dumps(BEFORE))
    status, answer = order("tenant:acme", month_usd=60)
    assert (status, answer) == (200, {"payer": "tenant:acme", "day_usd": None, "month_usd": 60.0})
    assert written(deployed) == {**BEFORE, "tenants": {"acme": {"month_usd": 60.0}, "*": {"day_usd": 5.0}}}
    assert order("stage")[0] == order("tenant:*")[0] == 200
    assert written(deployed) == {"tenants": {"acme": {"month_usd": 60.0}}}
    audit = app.handler(http_event("GET", f"{PREFIX}/audit"), Context())
    newest = json.loads(audit["body"])["entries"][-1]
    assert (newest["author"], newest["action"], newest["subject"]) == ("ann", "budget.set", "tenant:acme")
    assert (newest["before"], newest["after"], newest["reason"]) == ("$10 a day", "$60 a month", "their order")


def test_a_tenant_without_a_bound_has_not_that_of_all_others(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETS_PARAMETER", NAME)
    deployed.aws.ssm.put_parameter(Name=NAME, Type="String", Value=json.dumps(BEFORE))
    assert order("tenant:acme") == (200, {"payer": "tenant:acme", "day_usd": None, "month_usd": None})
    assert order("tenant:globex", day_usd=1)[0] == 200
    plan = parse_plan(json.dumps(written(deployed)))
    assert [payer.name for payer in plan.payers("acme")] == ["stage"]
    assert [payer.name for payer in plan.payers("initech")] == ["tenant:initech", "stage"]


def test_the_first_budget_makes_the_document(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETS_PARAMETER", NAME)
    assert deployed.aws.dynamodb
    assert order("stage", day_usd=1.5)[0] == 200
    assert written(deployed) == {"stage": {"day_usd": 1.5}}


def test_what_cannot_be_set_is_refused_and_changes_nothing(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deployed.aws.dynamodb
    status, answer = order("stage", day_usd=1)
    assert (status, answer["code"]) == (409, "no_budgets")
    monkeypatch.setenv("BUDGETS_PARAMETER", NAME)
    assert order("stage", day_usd=-1)[0] == order("somebody", day_usd=1)[0] == order("stage", day_usd=True)[0] == 422
    deployed.aws.ssm.put_parameter(Name=NAME, Type="String", Value="{")
    status, answer = order("stage", day_usd=1)
    assert (status, answer["code"]) == (409, "invalid_budgets")
    assert deployed.aws.ssm.get_parameter(Name=NAME)["Parameter"]["Value"] == "{"
