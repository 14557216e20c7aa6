"""The functions of the state machine, put to all the work they can have."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import responses

from functions.poll_job import app as poll_app
from functions.receive_webhook import app as webhook_app
from functions.settle_job import app as settle_app
from functions.submit_job import app as submit_app
from mediarelay.long_jobs.execution_state import ExecutionEnd, ExecutionState, FoundResult, NextStep, VendorJob
from mediarelay.long_jobs.webhooks.dynamodb import PARTITION
from mediarelay.request.parsing import parse_message
from mediarelay.results.result_store import prefix_of
from mediarelay.vocabulary.kinds import Kind
from tests.builders.keys import fake_key
from tests.builders.requests import audio, video
from tests.doubles.job_vendors import MP4
from tests.doubles.scripted_http import MEDIA
from tests.harness.function_events import sqs_record
from tests.harness.functions import Context, Deployed
from tests.harness.local_aws import BUCKET, JOBS, TELEMETRY
from tests.harness.long_jobs.fal_webhooks import JWKS_URL
from tests.privilege.calls import by_the_test
from tools.simulator import webhook

KLING = "https://api-singapore.klingai.com/v1/videos/text2video"
FAL = "https://queue.fal.run/fal-ai/kling-video/v2.6/pro/text-to-video"
MUSIC = "https://api.elevenlabs.io/v1/music"
CLIP = "https://v1-kling.klingai.com/clip.mp4"
FAR = 4_102_444_800
OPENED_MS = 1_793_440_000_000
KEYS = {
    "KLING_API_KEYS": [{"key": fake_key("kling", 0), "account": "studio", "concurrency": 1}],
    "FAL_KEYS": [fake_key("fal", 0)],
    "ELEVENLABS_API_KEYS": [fake_key("elevenlabs", 0)],
}
TAKEN = {"code": 0, "data": {"task_id": "t-1", "task_status": "submitted"}}
DONE = {"code": 0, "data": {"task_status": "succeed", "task_result": {"videos": [{"url": CLIP}]}}}
FAILED = {"code": 0, "data": {"task_status": "failed", "task_status_msg": "lost a node"}}


def dispatch_jobs(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """Started, sent twice, and cancelled while the vendor is at work on it."""
    vendors.put("https://queue.fal.run/cancel", status=202, json={"status": "CANCELLATION_REQUESTED"})
    request = video(request_id="clip", providers=["fal-kling"])
    deployed.dispatch(sqs_record(request, "m-10"), sqs_record({"cancel": "clip"}, "m-11"))
    deployed.dispatch(sqs_record(request, "m-12"), sqs_record({"cancel": "clip"}, "m-13"))
    deployed.dispatch(sqs_record(video(request_id="again", providers=["fal-kling"]), "m-14"))
    deployed.dispatch(sqs_record(video(request_id="again", providers=["fal-kling"]), "m-15"))
    deployed.dispatch(sqs_record({"cancel": "again"}, "m-16"))
    deployed.dispatch(
        sqs_record(video("shared", request_id="shared", providers=["fal-kling"], cache_seconds=60), "m-17")
    )


def submit_everything(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """Accepted, refused for a bad key, full of slots, delivered at once, and lost without a trace."""
    vendors.post(KLING, status=401, json={"code": 1002, "message": "no"})
    vendors.post(FAL, json={"request_id": "r-1"})
    _submit(deployed, video(request_id="rejected", providers=["kling-video", "fal-kling"]))
    vendors.post(MUSIC, body=MEDIA["mp3"], content_type="audio/mpeg")
    _submit(deployed, audio(request_id="music", providers=["elevenlabs-audio"], input={"duration": 5}))
    vendors.post(FAL, status=502, body="bad gateway")
    _submit(deployed, video(request_id="lost", providers=["fal-kling"]))
    prefix = prefix_of(Kind.VIDEO, OPENED_MS, "stored")
    facts = {"provider": "x", "model": "m", "key-id": "k", "cost-usd": "0", "index": "0", "outputs": "1"}
    deployed.aws.s3.put_object(Bucket=BUCKET, Key=f"{prefix}x-0.mp4", Body=MP4, Metadata=facts)
    _submit(deployed, video(request_id="stored", providers=["fal-kling"]))
    _metrics_came(deployed)


def poll_everything(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """At work, failed, refused for a bad key, and finished."""
    for answer in (TAKEN, FAILED, DONE):
        vendors.get(f"{KLING}/t-1", json=answer)
    vendors.get(f"{KLING}/t-1", status=401, json={"code": 1002, "message": "no"})
    for _ in range(4):
        _run(poll_app, _state(video(request_id="polled", providers=["kling-video"]), vendor=_vendor()))
    _metrics_came(deployed)


def settle_everything(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """A result that is fetched, one that breaks off after a part, a failure, and executions that ended by themselves:
    of one its vendor has the job, and is done.
    """
    result = FoundResult(urls=[CLIP], formats=["mp4"], cost_usd=0.2, found_at=1.0, fetch_until=FAR)
    vendors.get(CLIP, body=MP4)
    _settle(deployed, "fetched", result=result)
    vendors.get(CLIP, body=MP4 + bytes(9 * 1024 * 1024), headers={"content-length": str(10 * 1024 * 1024)})
    _settle(deployed, "broken", result=result)
    _settle(deployed, "failed", ending=ExecutionEnd(status="failed", provider="kling-video"))
    _open(deployed, "ended")
    state = _state(video(request_id="ended", providers=["kling-video"]))
    settle_app.handler({"detail": {"status": "ABORTED", "input": json.dumps(state)}}, Context())
    vendors.get(f"{KLING}/t-1", json=DONE)
    _settle(deployed, "asked")
    _metrics_came(deployed)


def receive_everything(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """A call of fal's about a job whose execution waits no more."""
    vendors.get(JWKS_URL, json=webhook.key_set())
    with by_the_test():
        item = {"pk": {"S": PARTITION}, "sk": {"S": "r-1"}, "token": {"S": "token-1"}}
        deployed.aws.dynamodb.put_item(TableName=TELEMETRY, Item=item)
    headers = {name.lower(): value for name, value in webhook.signature("r-1", b"{}", now=time.time()).items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAL_JWKS_URL", JWKS_URL)
        webhook_app.service.cache_clear()
        assert webhook_app.handler({"headers": headers, "body": "{}"}, Context()) == {"statusCode": 204}


JOB_WORK: dict[str, Callable[[Deployed, responses.RequestsMock], None]] = {
    "SubmitJobFunction": submit_everything,
    "PollJobFunction": poll_everything,
    "SettleJobFunction": settle_everything,
    "ReceiveWebhookFunction": receive_everything,
}


def _submit(deployed: Deployed, request: dict[str, Any]) -> None:
    _open(deployed, request["request_id"])
    _run(submit_app, _state(request))


def _settle(deployed: Deployed, request_id: str, **fields: Any) -> None:
    _open(deployed, request_id)
    request = video(request_id=request_id, providers=["kling-video"])
    _run(settle_app, _state(request, vendor=_vendor(), next=NextStep.SETTLE, **fields))


def _run(app: Any, state: dict[str, Any]) -> Any:
    return app.handler(state, Context())


def _open(deployed: Deployed, request_id: str) -> None:
    facts = {"request_id": request_id, "status": "queued", "kind": "video"}
    item = {name: {"S": value} for name, value in facts.items()}
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item={**item, "received_at": {"N": "1"}})


def _state(request: dict[str, Any], **fields: Any) -> dict[str, Any]:
    job = ExecutionState(
        request_id=request["request_id"],
        request=parse_message(json.dumps(request)),
        providers=request["providers"],
        received_at=OPENED_MS,
        opened_at=OPENED_MS,
        expires_at=FAR,
        ttl=FAR + 10**6,
        **fields,
    )
    return job.to_state()


def _vendor() -> VendorJob:
    task = {"task_id": "t-1", "path": "/v1/videos/text2video"}
    facts = {"provider": "kling-video", "model": "kling-v2-6", "key_id": "k", "account": "studio"}
    return VendorJob(**facts, task=task, accepted_at=1_793_440_000.0)


def _metrics_came(deployed: Deployed) -> None:
    assert any(item["pk"]["S"].startswith("METRIC#") for item in deployed.aws.items(TELEMETRY))
