"""Least privilege, both ways: each role allows all that its function calls, and nothing else."""

from __future__ import annotations

import base64
import copy
import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import responses

from functions.serve_api import app as api_app
from tests.builders.keys import fake_key
from tests.builders.requests import image, tts
from tests.doubles.scripted_http import MEDIA
from tests.harness.function_events import DONE, REPLIES, RUNNING, http_event, job_change, now_ms, sqs_record
from tests.harness.functions import OPENAI_SPEECH, Context, Deployed
from tests.harness.local_aws import BUCKET, JOBS, TELEMETRY
from tests.harness.template import load_template, of_type, policy_statements
from tests.privilege.calls import Permission, by_the_test, recorded, signed
from tests.privilege.grants import granted, used_by_aws
from tests.privilege.health_work import HEALTH_WORK, prepare
from tests.privilege.job_work import JOB_WORK, KEYS, dispatch_jobs
from tests.privilege.speech_work import SPEECH_WORK, dispatch_long_texts

TEMPLATE = load_template()
FUNCTIONS = sorted(of_type(TEMPLATE, "AWS::Serverless::Function"))
ONLY_OPENAI: dict[str, Any] = {"providers": ["openai-tts"]}
ONLY_IMAGES: dict[str, Any] = {"providers": ["openai-image"]}
OPENAI_IMAGES = "https://api.openai.com/v1/images/generations"
SLOW_DOWN = {"error": {"message": "slow", "type": "tokens", "code": "rate_limit_exceeded"}}
BAD_KEY = {"error": {"message": "no", "type": "invalid_request_error", "code": "invalid_api_key"}}


def dispatch_everything(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """Served, taken over, malformed, with a key rejected on the way, and deferred."""
    vendors.post(OPENAI_SPEECH, status=401, json=BAD_KEY)
    vendors.post(OPENAI_SPEECH, body=MEDIA["mp3"], content_type="audio/mpeg")
    deployed.dispatch(sqs_record(tts(request_id="served", **ONLY_OPENAI), "m-1"), sqs_record("{", "m-2"))
    pass_one_on_and_take_one(deployed)
    abandon_a_copy(deployed, "served", "taken-over")
    deployed.dispatch(sqs_record(tts(request_id="taken-over", **ONLY_OPENAI), "m-3"))
    vendors.reset()
    vendors.post(OPENAI_SPEECH, status=429, json=SLOW_DOWN, headers={"retry-after": "40"})
    deployed.dispatch(sqs_record(tts("later", request_id="deferred", **ONLY_OPENAI), "m-4"))
    vendors.post(re.compile(r"https://polly\..+"), body=MEDIA["mp3"], content_type="audio/mpeg")
    deployed.dispatch(sqs_record(tts(request_id="by-role", providers=["polly-tts"]), "m-5"))
    lost = sqs_record(tts("again", request_id="lost", **ONLY_OPENAI), "m-6")
    deployed.dispatch({**lost, "eventSourceARN": lost["eventSourceARN"].replace("requests", "lost-requests")})
    give_one_up(deployed)
    dispatch_jobs(deployed, vendors)
    dispatch_long_texts(deployed)
    eventually(lambda: any(item["pk"]["S"].startswith("METRIC#") for item in deployed.aws.items(TELEMETRY)))


def pass_one_on_and_take_one(deployed: Deployed) -> None:
    """A full batch with a picture in it, while another request waits."""
    with by_the_test():
        deployed.aws.sqs.send_message(
            QueueUrl=deployed.aws.queue_url, MessageBody=json.dumps(tts(request_id="more", **ONLY_OPENAI))
        )
    full = [sqs_record(tts(request_id=f"full-{n}", **ONLY_OPENAI), f"f-{n}") for n in range(9)]
    deployed.dispatch(*full, sqs_record(image(request_id="on", **ONLY_IMAGES), "f-9"))
    assert deployed.job("more")["status"]["S"] == "succeeded", "the worker has taken it itself"


def draw_everything(deployed: Deployed, vendors: responses.RequestsMock) -> None:
    """A full batch, with more that is waiting; malformed, taken over, deferred, given up, and identical to another."""
    picture = base64.b64encode(MEDIA["png"]).decode()
    vendors.post(OPENAI_IMAGES, status=401, json=BAD_KEY)
    vendors.post(OPENAI_IMAGES, json={"data": [{"b64_json": picture}]})
    full = [drawn(image(request_id=f"picture-{n}", **ONLY_IMAGES), f"p-{n}") for n in range(9)]
    with by_the_test():
        deployed.aws.sqs.send_message(
            QueueUrl=deployed.aws.picture_url, MessageBody=json.dumps(image(request_id="more", **ONLY_IMAGES))
        )
    deployed.draw(*full, drawn("{", "p-9"))
    assert deployed.job("more")["status"]["S"] == "succeeded", "the worker has taken it itself"
    abandon_a_copy(deployed, "picture-0", "taken-over")
    deployed.draw(drawn(image(request_id="taken-over", **ONLY_IMAGES), "p-10"))
    for number in range(2):
        deployed.draw(drawn(image(request_id=f"shared-{number}", cache_seconds=60, **ONLY_IMAGES), f"p-{11 + number}"))
    vendors.reset()
    vendors.post(OPENAI_IMAGES, status=429, json=SLOW_DOWN, headers={"retry-after": "40"})
    deployed.draw(drawn(image("later", request_id="deferred", **ONLY_IMAGES), "p-13"))
    hold(deployed, "deferred")
    deployed.draw(drawn(image("later", request_id="deferred", **ONLY_IMAGES), "p-14", mediarelay_trips="1000"))
    eventually(lambda: any(item["pk"]["S"].startswith("METRIC#") for item in deployed.aws.items(TELEMETRY)))


def drawn(body: Any, message_id: str, **attributes: str) -> dict[str, Any]:
    """A record of the queue of pictures."""
    record = sqs_record(body, message_id, **attributes)
    return {**record, "eventSourceARN": record["eventSourceARN"].replace("requests", "pictures")}


def give_one_up(deployed: Deployed) -> None:
    """As one that is deferred too often while another worker holds its job."""
    held = sqs_record(tts("later", request_id="deferred", **ONLY_OPENAI), "m-7", mediarelay_trips="1000")
    hold(deployed, "deferred")
    deployed.dispatch(held)


def hold(deployed: Deployed, name: str) -> None:
    """Another worker serves it."""
    deployed.aws.dynamodb.update_item(
        TableName=JOBS,
        Key={"request_id": {"S": name}},
        UpdateExpression="SET #status = :running, lease_until = :late",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={
            ":running": {"S": "running"},
            ":late": {"N": str(now_ms() + 900_000)},
        },
    )


def abandon_a_copy(deployed: Deployed, served: str, abandoned: str) -> None:
    """As a worker leaves a job that it died over after it stored the result."""
    job = deployed.job(served)
    kept = ("kind", "fingerprint", "received_at", "claimed_at", "claim_id", "claims")
    state = {"request_id": {"S": abandoned}, "status": {"S": "running"}, "lease_until": {"N": "2"}}
    deployed.aws.dynamodb.put_item(TableName=JOBS, Item={**{name: job[name] for name in kept}, **state})
    key = job["outputs"]["L"][0]["M"]["key"]["S"]
    source = {"Bucket": BUCKET, "Key": key}
    deployed.aws.s3.copy_object(Bucket=BUCKET, CopySource=source, Key=key.replace(served, abandoned))


def announce_everything(deployed: Deployed, _vendors: responses.RequestsMock) -> None:
    """A job that settled with a file, and names a queue for its result."""
    deployed.announce(job_change(1, RUNNING, {**DONE, "reply_to": REPLIES}))


WORK: Mapping[str, Callable[[Deployed, responses.RequestsMock], None]] = {
    "DispatchRequestFunction": dispatch_everything,
    "DrawPictureFunction": draw_everything,
    "AnnounceResultFunction": announce_everything,
    **JOB_WORK,
    **HEALTH_WORK,
    **SPEECH_WORK,
}


@pytest.fixture
def needed(
    deployed: Deployed, vendors: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], set[Permission]]:
    keys = {"OPENAI_API_KEYS": f"{fake_key('openai', 0)},{fake_key('openai', 1)}", **KEYS}
    deployed.aws.secrets.create_secret(Name="keys", SecretString=json.dumps(keys))
    monkeypatch.setenv("KEYS_SECRET_ID", "keys")
    monkeypatch.setenv("POLLY_SPEECH", "on")
    prepare(deployed, monkeypatch)
    assert all((deployed.aws.queue_url, deployed.aws.dlq_url, deployed.aws.topic_arn))

    def by(function: str) -> set[Permission]:
        with recorded() as calls:
            WORK[function](deployed, vendors)
        return calls - SET_UP | signed(call.request for call in vendors.calls)

    return by


# What the scenarios themselves do to prepare the account.
SET_UP = {
    ("dynamodb:PutItem", "JobsTable"),
    ("dynamodb:Scan", "TelemetryTable"),
    ("s3:CopyObject", "ResultsBucket"),
}


def test_every_function_is_put_to_work() -> None:
    assert sorted(WORK) == FUNCTIONS


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_role_allows_all_that_its_function_calls_and_nothing_else(
    function: str, needed: Callable[[str], set[Permission]]
) -> None:
    calls = needed(function)
    assert missing(TEMPLATE, function, calls) == set()
    assert unused(TEMPLATE, function, calls) == set()


def test_a_permission_that_is_taken_away_is_missed(needed: Callable[[str], set[Permission]]) -> None:
    template = copy.deepcopy(TEMPLATE)
    statements = statements_of(template, "DispatchRequestRole")
    statements.remove(next(one for one in statements if one["Sid"] == "ParkMalformedRequests"))
    calls = needed("DispatchRequestFunction")
    assert missing(template, "DispatchRequestFunction", calls) == {("sqs:SendMessage", "RequestDlq")}


def test_a_permission_too_many_is_found(needed: Callable[[str], set[Permission]]) -> None:
    template = copy.deepcopy(TEMPLATE)
    extra = {"Sid": "Extra", "Action": "s3:DeleteObject", "Resource": {"Fn::GetAtt": ["ResultsBucket", "Arn"]}}
    statements_of(template, "AnnounceResultRole").append(extra)
    calls = needed("AnnounceResultFunction")
    assert unused(template, "AnnounceResultFunction", calls) == {("s3:DeleteObject", "ResultsBucket")}


@pytest.mark.parametrize("function", ["DispatchRequestFunction", "SpeakPartFunction", "ProbeProvidersFunction"])
def test_without_polly_nothing_is_allowed_that_is_not_called(
    function: str, needed: Callable[[str], set[Permission]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLLY_SPEECH", "off")
    calls = needed(function)
    assert not any(action.startswith("polly:") for action, _ in calls)
    allowed = granted(TEMPLATE, function, without={"HasPollySpeech"})
    assert {one for one in allowed if one[0].startswith("polly:")} == calls - allowed == set()


def test_with_a_budget_dispatch_may_do_what_that_takes_and_nothing_else(
    deployed: Deployed, needed: Callable[[str], set[Permission]], monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {"stage": {"month_usd": 50_000}, "tenants": {"acme": {"day_usd": 0.00001}}}
    deployed.aws.ssm.put_parameter(Name="/budgets", Type="String", Value=json.dumps(document))
    monkeypatch.setenv("BUDGETS_PARAMETER", "/budgets")
    calls = needed("DispatchRequestFunction")
    with recorded() as refused:
        deployed.dispatch(sqs_record(tts(request_id="dear", tenant="acme", **ONLY_OPENAI), "m-90"))
    calls |= refused
    assert missing(TEMPLATE, "DispatchRequestFunction", calls) == set()
    of_budgets = granted(TEMPLATE, "DispatchRequestFunction") - granted(
        TEMPLATE, "DispatchRequestFunction", without={"HasBudgets"}
    )
    assert of_budgets <= calls
    assert ("ssm:GetParameter", "BudgetsParameter") in of_budgets


def test_with_a_budget_the_api_may_change_the_parameter_and_nothing_else_more(
    deployed: Deployed, needed: Callable[[str], set[Permission]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETS_PARAMETER", "/budgets")
    deployed.aws.ssm.put_parameter(Name="/budgets", Type="String", Value="{}")
    calls = needed("ServeApiFunction")
    with recorded() as more:
        order = {"payer": "stage", "day_usd": 1, "reason": "x"}
        api_app.handler(http_event("POST", "/api/v1/budgets", order), Context())
    calls |= more
    assert missing(TEMPLATE, "ServeApiFunction", calls) == set()
    without = granted(TEMPLATE, "ServeApiFunction", without={"HasBudgets"})
    assert granted(TEMPLATE, "ServeApiFunction") - without <= more


def missing(template: dict[str, Any], function: str, calls: set[Permission]) -> set[Permission]:
    return calls - granted(template, function)


def unused(template: dict[str, Any], function: str, calls: set[Permission]) -> set[Permission]:
    # What budgets need is a test of its own: most deployments set none.
    allowed = granted(template, function, without={"HasBudgets"})
    return {one for one in allowed - calls if not used_by_aws(function, one)}


def statements_of(template: dict[str, Any], role: str) -> list[dict[str, Any]]:
    """The statements of a role's one policy, to be changed in place."""
    (policy,) = template["Resources"][role]["Properties"]["Policies"]
    assert policy["PolicyDocument"]["Statement"] == policy_statements(template["Resources"][role]["Properties"])
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def eventually(look: Callable[[], bool]) -> None:
    """Metrics are written in the background."""
    while not look():
        threading.Event().wait(0.05)
