"""fal's webhooks in virtual time: called when a job is over, signed, and taken by the shipped handler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from nacl.signing import SigningKey

from functions.receive_webhook import app
from mediarelay.long_jobs.webhooks.ed25519 import verify
from mediarelay.long_jobs.webhooks.fal import public_keys
from mediarelay.long_jobs.webhooks.receive import WebhookService
from mediarelay.long_jobs.webhooks.signing_keys import WebhookKeys
from tests.doubles.clock import ManualClock
from tests.doubles.job_vendors import JobVendors
from tests.doubles.long_jobs import MemoryTasks
from tests.doubles.scripted_http import ScriptedHttp, document
from tests.harness.long_jobs.asl import ExecutionFailed
from tools.simulator import webhook

JWKS_URL = "https://rest.fal.ai/.well-known/jwks.json"


class FalWebhooks:
    """Implements `asl.Callbacks`.

    Attributes:
        silent: fal's calls get lost.
        eager: The first call comes a second after the wait began, whatever the job does.
        table_away: No token can be kept.
        answers: The status of each call so far.
    """

    def __init__(self, vendors: JobVendors, clock: ManualClock) -> None:
        self.silent = False
        self.eager = False
        self.table_away = False
        self.answers: list[int] = []
        self.tasks = MemoryTasks()
        self.http = ScriptedHttp(document(200, webhook.key_set()))
        self._vendors = vendors
        self.clock = clock
        self._jobs: dict[str, str] = {}
        keys = WebhookKeys(self.http, JWKS_URL, public_keys, clock=clock)
        self.service = WebhookService(keys, self.tasks, verify=verify, clock=clock)

    def kept(self, item: Mapping[str, Any]) -> None:
        """See `asl.Callbacks.kept`."""
        if self.table_away:
            raise ExecutionFailed("DynamoDb.DynamoDbException", "the table is away")
        request_id, token = item["sk"]["S"], item["token"]["S"]
        self.tasks.tokens[request_id] = token
        self.tasks.waiting.add(token)
        self._jobs[token] = request_id

    def due(self, token: str) -> float | None:
        """See `asl.Callbacks.due`."""
        task = self._vendors.tasks[self._jobs[token]]
        if self.eager:
            return 1.0
        return None if self.silent or task.webhook_url is None else max(0.0, task.done_at - self.clock.now())

    def called(self, token: str) -> bool:
        """See `asl.Callbacks.called`."""
        request_id = self._jobs[token]
        over = self.clock.now() >= self._vendors.tasks[request_id].done_at
        if not self.silent and (over or self.eager):
            self.eager = False
            self.call(request_id)
        woken = token in self.tasks.woken
        self.tasks.waiting.discard(token)
        return woken

    def call(self, request_id: str, *, key: SigningKey | None = None, **changes: str) -> int:
        """One delivery to the shipped handler; its status. Headers may be changed on the way."""
        body = json.dumps({"request_id": request_id, "status": "OK", "payload": {}})
        own = {"key": key} if key else {}
        headers = webhook.signature(request_id, body.encode(), now=self.clock.now(), **own)
        return self.deliver(body, {name.lower(): value for name, value in headers.items()} | changes)

    def deliver(self, body: str, headers: Mapping[str, str]) -> int:
        """The same with any body and headers."""
        event = {"headers": dict(headers), "body": body, "isBase64Encoded": False}
        with patch.object(app, "service", lambda: self.service):
            answer = app.handler(event, _Context())
        self.answers.append(answer["statusCode"])
        return self.answers[-1]


class _Context:
    """The part of a Lambda context that the logger looks at."""

    function_name = "receive_webhook"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id = "00000000-0000-0000-0000-000000000000"
