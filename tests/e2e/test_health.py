"""The API and the console of the deployed template, as strangers and operators see them."""

from __future__ import annotations

import pytest

from tests.e2e.health_desk import OLD, HealthDesk
from tests.harness.deployed import Relay

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def desk(relay: Relay) -> HealthDesk:
    return HealthDesk(relay)


def test_nothing_but_401_without_with_a_wrong_and_with_an_expired_token(desk: HealthDesk) -> None:
    paths = [
        "providers/health",
        "providers/openai-tts/health",
        "keys",
        "jobs/x",
        "usage",
        "overrides",
        "incidents",
        "nothing",
    ]
    for token in (None, "wrong-" * 6, OLD):
        answers = [desk.get(f"/api/v1/{path}", token) for path in paths]
        assert {answer.status_code for answer in answers} == {401}
        assert {answer.text for answer in answers} == {'{"message":"Unauthorized"}'}
    assert desk.get("/api/v1/providers/health").status_code == 200


def test_the_page_is_served_to_anybody_and_holds_no_data(desk: HealthDesk) -> None:
    answer = desk.get("/", None)
    assert (answer.status_code, "openai-tts" in answer.text) == (200, False)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
