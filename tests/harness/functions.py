"""The real handlers over AWS by moto, and vendors by `responses`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest
import responses

from functions.announce_result import app as announce_app
from functions.dispatch_request import app as dispatch_app
from functions.draw_picture import app as draw_app
from functions.poll_job import app as poll_app
from functions.settle_job import app as settle_app
from functions.speak_part import app as speak_app
from functions.steer_speech import app as steer_app
from functions.submit_job import app as submit_app
from tests.builders.keys import fake_key
from tests.harness.local_aws import BUCKET, JOBS, REGION, TELEMETRY, USAGE, LocalAws, local_aws

APPS = (dispatch_app, draw_app, announce_app, submit_app, poll_app, settle_app, speak_app, steer_app)
OPENAI_SPEECH = "https://api.openai.com/v1/audio/speech"
ELEVENLABS_SPEECH = "https://api.elevenlabs.io/v1/text-to-speech"


@dataclass
class Context:
    """The part of a Lambda context that handlers look at."""

    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:123456789012:function:function"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"
    remaining_ms: int = 240_000  # far more than a busy machine takes: no test waits for it

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass
class Deployed:
    """The functions, with the account they run in."""

    aws: LocalAws
    dispatch_app: ModuleType
    announce_app: ModuleType

    def dispatch(self, *records: dict[str, Any]) -> list[str]:
        """The ids of the messages that failed."""
        answer = self.dispatch_app.handler({"Records": list(records)}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def draw(self, *records: dict[str, Any]) -> list[str]:
        """The ids of the messages of the queue of pictures that failed."""
        answer = draw_app.handler({"Records": list(records)}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def announce(self, *records: dict[str, Any]) -> list[str]:
        """The sequence numbers that failed."""
        answer = self.announce_app.handler({"Records": list(records)}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def job(self, request_id: str) -> dict[str, Any]:
        """One item of the Jobs table, in wire form."""
        found = self.aws.dynamodb.get_item(TableName=JOBS, Key={"request_id": {"S": request_id}})
        item: dict[str, Any] = found.get("Item", {})
        return item


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    with local_aws() as aws:
        environment = {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "JOBS_TABLE": JOBS,
            "TELEMETRY_TABLE": TELEMETRY,
            "USAGE_TABLE": USAGE,
            "RESULTS_BUCKET": BUCKET,
            "REQUEST_QUEUE_URL": aws.queue_url,
            "PICTURE_QUEUE_URL": aws.picture_url,
            "WORKER_THREADS": "20",
            "REQUEST_DLQ_URL": aws.dlq_url,
            "LOST_REQUESTS_URL": aws.lost_url,
            "MEDIA_RESULTS_TOPIC_ARN": aws.topic_arn,
            "REPLY_PREFIX": "mediarelay-reply-",
            "OPENAI_API_KEYS": f"{fake_key('openai', 0)},{fake_key('openai', 1)}",
            "ELEVENLABS_API_KEYS": fake_key("elevenlabs", 0),
            "FAL_KEYS": fake_key("fal", 0),
            "MEDIA_JOB_STATE_MACHINE_ARN": aws.state_machine_arn,
            "LONG_SPEECH_STATE_MACHINE_ARN": aws.speech_machine_arn,
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert aws.dynamodb
        assert aws.s3
        for app in APPS:
            app.service.cache_clear()
        yield Deployed(aws, dispatch_app, announce_app)
        for app in APPS:
            app.service.cache_clear()


@pytest.fixture
def vendors() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        yield wire
