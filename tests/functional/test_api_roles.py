"""Every route and every role: who is let in, and whose jobs a publisher sees."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from functions.authorize_request import app as authorize_app
from functions.serve_api import app
from mediarelay.api.access import ACCESS, PREFIX
from mediarelay.api.routes import build_api, openapi
from mediarelay.api.tokens import TOKENS, Role
from mediarelay.aws.stores import to_item
from tests.harness.function_events import DONE, ORDER, http_event, now_ms
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import JOBS

CALLERS = {
    Role.VIEWER: {"token": "vic", "role": "viewer"},
    Role.PUBLISHER: {"token": "pat", "role": "publisher", "tenant": "acme"},
    Role.OPERATOR: {"token": "ann", "role": "operator"},
}
DOCUMENT = Path(__file__).parents[2] / "docs" / "http-api.md"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(deployed: Deployed) -> Ask:
    app.application.cache_clear()
    assert deployed.aws.dynamodb

    def call(role: Role | None, name: str, body: Any = None, **query: str) -> tuple[int, Any]:
        method, path = name.split(" ")
        caller = CALLERS[role] if role else {"token": "old"}
        answer = app.handler(http_event(method, f"{PREFIX}{path}", body, query, caller=caller), Context())
        text = answer.get("body")
        return answer["statusCode"], json.loads(text) if text else None

    return call


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", ACCESS)
def test_a_route_lets_in_whom_the_table_says_and_nobody_else(ask: Ask, name: str, role: Role) -> None:
    status, answer = ask(role, re.sub("<[a-z_]+>", "nothing", name))
    if role in ACCESS[name]:
        assert status not in (401, 403, 405)
        assert "no such resource" not in json.dumps(answer), "the routes of its path are not those that are imported"
    else:
        assert (status, answer["code"]) == (403, "not_allowed")


@pytest.mark.parametrize("name", ACCESS)
def test_a_path_that_only_seems_to_be_another_lets_nobody_else_in(ask: Ask, name: str) -> None:
    """Powertools' patterns end with a dollar sign, which a line's end may follow."""
    for role in set(Role) - ACCESS[name]:
        assert ask(role, f"{re.sub('<[a-z_]+>', 'nothing', name)}\n", ORDER)[0] in (403, 404, 422)


def test_every_route_is_in_the_table_and_its_roles_are_in_the_document() -> None:
    services: Any = object()
    paths = json.loads(openapi(build_api(services)))["paths"]
    described = {
        f"{method.upper()} {path.removeprefix(PREFIX).replace('{', '<').replace('}', '>')}": operation["x-roles"]
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    named = {name: sorted(roles) for name, roles in ACCESS.items() if name != "GET /openapi.json"}
    assert described == named


def test_the_table_of_the_documentation_is_the_one_that_is_checked() -> None:
    rows = re.findall(r"^\| `([A-Z]+ /[^`?]+)[^`]*` \|[^|]*\| ([^|]+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert {name: set(roles.split(", ")) for name, roles in rows} == {
        name: set(roles) for name, roles in ACCESS.items()
    }


def test_a_token_of_an_earlier_authorizer_reads_and_changes_nothing(ask: Ask) -> None:
    assert ask(None, "GET /providers/health")[0] == 200
    assert ask(None, "POST /overrides", ORDER)[0] == 403


@pytest.fixture
def jobs(deployed: Deployed) -> None:
    for tenant in ("acme", "other"):
        item = {**DONE, "request_id": f"{tenant}!job-{tenant}", "tenant": tenant}
        deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item(item))


@pytest.mark.usefixtures("jobs")
def test_a_publisher_sees_the_jobs_of_its_tenant_alone(ask: Ask) -> None:
    status, answer = ask(Role.PUBLISHER, "GET /jobs/job-acme")
    assert (status, [len(job["links"]) for job in answer["jobs"]]) == (200, [1])
    assert ask(Role.PUBLISHER, "GET /jobs/job-other")[0] == 404
    assert ask(Role.PUBLISHER, "GET /jobs/job-other", tenant="other")[0] == 404


@pytest.mark.usefixtures("jobs")
def test_a_viewer_is_given_no_links(ask: Ask) -> None:
    status, answer = ask(Role.VIEWER, "GET /jobs/job-acme", tenant="acme")
    assert (status, [job["links"] for job in answer["jobs"]]) == (200, [[]])


def test_the_author_is_whose_token_it_is_and_the_audit_says_what_was_done(ask: Ask) -> None:
    assert ask(Role.OPERATOR, "POST /overrides", {**ORDER, "author": "somebody else"})[1]["author"] == "ann"
    assert ask(Role.OPERATOR, "DELETE /overrides/provider%3Aopenai-tts", reason="well again")[0] == 204
    status, answer = ask(Role.OPERATOR, "GET /audit")
    assert status == 200
    told = [
        (each["author"], each["action"], each["subject"], each["reason"], each["before"], each["after"])
        for each in answer["entries"]
    ]
    assert told == [
        ("ann", "override.clear", "provider:openai-tts", "well again", "down", None),
        ("ann", "override.set", "provider:openai-tts", ORDER["reason"], None, "down"),
    ]
    assert ask(Role.OPERATOR, "GET /audit", since=str(now_ms() / 1000 + 60))[1]["entries"] == []


# --- the authorizer -------------------------------------------------------------------------------------------------

TOKEN = "t" * 32


def test_a_changed_token_is_let_in_with_what_it_may_do_now(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENS_SECRET_ID", "api-tokens")
    token = {"name": "pat", "token": TOKEN, "expires_at": now_ms() / 1000 + 60}
    deployed.aws.secrets.create_secret(Name="api-tokens", SecretString=json.dumps([token]))

    def whose() -> Any:
        authorize_app.service.cache_clear()
        event = {"version": "2.0", "headers": {"authorization": f"Bearer {TOKEN}"}}
        return authorize_app.handler(event, Context())["context"]

    assert whose() == {"token": "pat", "role": "viewer"}
    changed = [{**token, "role": "publisher", "tenant": "acme"}]
    deployed.aws.secrets.put_secret_value(SecretId="api-tokens", SecretString=json.dumps(changed))
    assert whose() == {"token": "pat", "role": "publisher", "tenant": "acme"}


@pytest.mark.parametrize("fields", [{"role": "publisher"}, {"tenant": "acme"}, {"role": "king"}])
def test_a_token_that_makes_no_sense_is_none(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"publisher|role"):
        TOKENS.validate_python([{"name": "pat", "token": TOKEN, "expires_at": 1.0, **fields}])
