"""The jobs of a request by HTTP, in two reads at most."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.serve_api import app
from mediarelay.api.access import PREFIX
from mediarelay.aws.stores import to_item
from mediarelay.providers.registry import ALL_PROVIDERS
from tests.harness.function_events import DONE, RUNNING, http_event
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import JOBS
from tools.bench.costs.ledger import Ledger, counting

GROUP = {**RUNNING, "request_id": "acme!both", "status": "queued", "branches": ["openai-tts", "gemini-tts"]}


@pytest.mark.parametrize(
    ("records", "asked", "expected", "reads"),
    [
        ([{**DONE, "request_id": "one"}], "one", ["one"], 1),
        ([{**DONE, "request_id": "acme!one"}], "one", ["acme!one"], 1),
        (
            [GROUP, *({**DONE, "request_id": f"acme!both#{name}"} for name in GROUP["branches"])],
            "both",
            ["acme!both", "acme!both#openai-tts", "acme!both#gemini-tts"],
            2,
        ),
        # As an earlier version left them.
        ([{**DONE, "request_id": "old#fal-flux"}], "old", ["old#fal-flux"], 2),
    ],
)
def test_the_jobs_of_a_request_take_two_reads_at_most(
    deployed: Deployed, records: list[dict[str, Any]], asked: str, expected: list[str], reads: int
) -> None:
    app.application.cache_clear()
    for record in records:
        deployed.aws.dynamodb.put_item(TableName=JOBS, Item=to_item({**record, "tenant": "acme"}))
    ledger = Ledger()
    with counting(ledger):
        answer = app.handler(http_event("GET", f"{PREFIX}/jobs/{asked}", None, {"tenant": "acme"}), Context())
    assert [job["request_id"] for job in json.loads(answer["body"])["jobs"]] == expected
    assert (ledger.calls, len(ALL_PROVIDERS) > 2) == ({"dynamodb:BatchGetItem": reads}, True)
