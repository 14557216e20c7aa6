"""Waiting for a job by HTTP: answered when it changes, at once when it has ended, with nothing when time is over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.wait_for_job import app
from mediarelay.api.access import PREFIX
from mediarelay.api.job_views import JobReader
from mediarelay.api.publishing.dynamodb import DynamoNotes
from mediarelay.api.waiting.waiting import WaitService
from mediarelay.aws.stores import to_item
from tests.doubles.clock import ManualClock
from tests.harness.function_events import DONE, OPERATOR, RUNNING, http_event
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import JOBS

GROUP = {**RUNNING, "request_id": "both", "status": "queued", "branches": ["openai-tts"]}


class Signing:
    """Implements `results.ports.LinkSigner`."""

    def sign(self, key: str) -> tuple[str, str]:
        """As S3 names it."""
        return f"s3://bucket/{key}", f"https://bucket/{key}"


class Changing(ManualClock):
    """A clock under which a job changes while somebody waits."""

    def __init__(self, deployed: Deployed, at: float, item: dict[str, Any]) -> None:
        super().__init__(0.0)
        self._deployed, self._at, self._item = deployed, at, item

    def sleep(self, seconds: float) -> None:
        """Wait, and change it when it is time."""
        super().sleep(seconds)
        if self.now() >= self._at:
            put(self._deployed, self._item)


def put(deployed: Deployed, item: dict[str, Any]) -> None:
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item(item))


def ask(deployed: Deployed, clock: ManualClock, name: str = "job-1", **query: str) -> tuple[int, Any]:
    reader = JobReader(DynamoNotes(deployed.aws.dynamodb, JOBS), Signing(), ())
    answer = WaitService(lambda: reader, clock).answer(http_event("GET", f"{PREFIX}/jobs/{name}/wait", None, query))
    return answer["statusCode"], json.loads(answer["body"]) if "body" in answer else None


def test_it_is_answered_when_the_job_changes_and_tells_another_version(deployed: Deployed) -> None:
    put(deployed, RUNNING)
    status, first = ask(deployed, ManualClock(0.0))
    assert (status, first["jobs"][0]["status"]) == (200, "running"), "no version is known: at once"
    clock = Changing(deployed, 5.0, DONE)
    status, second = ask(deployed, clock, after=first["version"])
    assert (status, second["jobs"][0]["status"], second["jobs"][0]["links"] != []) == (200, "succeeded", True)
    assert 5.0 <= clock.now() < 8.0
    assert second["version"] != first["version"]
    again = ManualClock(0.0)
    assert ask(deployed, again, after=second["version"])[0] == 200, "it has ended"
    assert again.now() == 0.0


def test_nothing_is_told_when_the_time_is_over(deployed: Deployed) -> None:
    put(deployed, GROUP)
    _, known = ask(deployed, ManualClock(0.0), "both")
    clock = ManualClock(0.0)
    assert ask(deployed, clock, "both", after=known["version"], seconds="7") == (304, None)
    assert 5.0 <= clock.now() <= 7.0


@pytest.mark.parametrize(
    ("query", "status"),
    [({"seconds": "21"}, 422), ({"seconds": "x"}, 422), ({"after": "nothing"}, 422), ({"tenant": "acme"}, 404)],
)
def test_what_makes_no_sense_is_refused(deployed: Deployed, query: dict[str, str], status: int) -> None:
    put(deployed, RUNNING)
    assert ask(deployed, ManualClock(0.0), **query)[0] == status


@pytest.mark.parametrize(
    ("caller", "status", "links"),
    [
        (OPERATOR, 200, 1),
        ({"token": "vic", "role": "viewer"}, 200, 0),
        ({"token": "pat", "role": "publisher", "tenant": "acme"}, 200, 1),
        ({"token": "pip", "role": "publisher", "tenant": "other"}, 404, 0),
    ],
)
def test_a_caller_waits_for_what_it_may_see(
    deployed: Deployed, caller: dict[str, str], status: int, links: int
) -> None:
    app.service.cache_clear()
    put(deployed, {**DONE, "request_id": "acme!job-1", "tenant": "acme"})
    query = {} if "tenant" in caller else {"tenant": "acme"}
    answer = app.handler(http_event("GET", f"{PREFIX}/jobs/job-1/wait", None, query, caller=caller), Context())
    assert answer["statusCode"] == status
    if status == 200:
        assert len(json.loads(answer["body"])["jobs"][0]["links"]) == links
