"""events/lambda: what `sam local invoke` and the functional tests feed to the functions, shaped as AWS sends it."""

import hashlib
import json
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2, DynamoDBStreamEvent, SQSEvent
from aws_lambda_powertools.utilities.data_classes.api_gateway_authorizer_event import APIGatewayAuthorizerEventV2

from mediarelay.alerts.telemetry_stream import telemetry_change
from mediarelay.api.access import OPENAI_ACCESS, roles_of
from mediarelay.api.openai.reading import fields_of, sent
from mediarelay.health.contract import HealthRecord
from mediarelay.health.records import has_news
from mediarelay.job_records.contract import JobRecord
from mediarelay.long_jobs.execution_state import ExecutionState
from mediarelay.long_jobs.webhooks.fal import signed_call
from mediarelay.long_speech.speech_state import PartTask, SpeechState
from mediarelay.metrics.stream import metric_batch
from mediarelay.usage.dynamodb_changes import job_changes, shard_of
from mediarelay.vocabulary.kinds import SETTLED
from tests.harness.template import ROOT, load_template

FOLDER = ROOT / "events" / "lambda"
DISPATCH = sorted(path.stem for path in FOLDER.glob("dispatch-*.json"))
JOBS = sorted(path.stem for path in FOLDER.iterdir() if path.stem.startswith(("submit-", "poll-", "settle-")))
SPEECHES = sorted(path.stem for path in FOLDER.glob("steer-*.json"))
ANNOUNCE = sorted(path.stem for path in FOLDER.glob("announce-*.json"))


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return event


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def source_of(function: str, name: str) -> dict[str, Any]:
    """The properties of one event source in the template."""
    properties: dict[str, Any] = load_template()["Resources"][function]["Properties"]["Events"][name]["Properties"]
    return properties


def patterns(function: str, name: str) -> list[dict[str, Any]]:
    """What a stream's filter lets through."""
    return [json.loads(each["Pattern"]) for each in source_of(function, name)["FilterCriteria"]["Filters"]]


def announced_statuses() -> set[str]:
    (pattern,) = patterns("AnnounceResultFunction", "SettledJobs")
    return set(pattern["dynamodb"]["NewImage"]["status"]["S"])


@pytest.mark.parametrize("name", DISPATCH)
def test_queue_event_carries_bodies_with_their_checksums(name: str) -> None:
    for record in SQSEvent(load(name)).records:
        assert record.md5_of_body == hashlib.md5(record.body.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("name", DISPATCH)
def test_queue_event_leaves_open_when_it_was_sent_so_that_it_never_expires(name: str) -> None:
    # AWS always fills in the moment; a stored one would soon be further back than a request may wait.
    for record in SQSEvent(load(name)).records:
        assert record.attributes.sent_timestamp == ""
        assert record.attributes.approximate_receive_count == "1"


@pytest.mark.parametrize(
    ("name", "bodies", "unreadable"),
    [
        ("dispatch-tts", 1, 0),
        ("dispatch-image", 1, 0),
        ("dispatch-sns-wrapped", 1, 0),
        ("dispatch-malformed", 1, 1),
        ("dispatch-batch-mixed", 10, 1),
    ],
)
def test_queue_event_holds_what_its_name_says(name: str, bodies: int, unreadable: int) -> None:
    records = list(SQSEvent(load(name)).records)

    assert len({record.message_id for record in records}) == bodies
    assert sum(not is_json(record.body) for record in records) == unreadable


@pytest.mark.parametrize("name", ANNOUNCE)
def test_stream_event_carries_job_records(name: str) -> None:
    for record in DynamoDBStreamEvent(load(name)).records:
        assert record.dynamodb is not None
        job = JobRecord.model_validate(record.dynamodb.new_image)
        assert job.status.settled == (name != "announce-not-settled")
        assert (job.status.value in announced_statuses()) == job.status.settled


def test_the_stream_filter_lets_every_settled_status_through_and_no_other() -> None:
    assert announced_statuses() == {status.value for status in SETTLED}


@pytest.mark.parametrize("name", JOBS)
def test_execution_event_carries_a_jobs_state(name: str) -> None:
    event = load(name)
    state = json.loads(event["detail"]["input"]) if "detail" in event else event.get("failed", event)
    job = ExecutionState.from_state(state)
    assert job.request_id.startswith("example-")
    assert job.to_state()["job"]["request_id"] == job.request_id
    assert (job.vendor is None) == (name in {"submit-video", "settle-aborted-execution"})


@pytest.mark.parametrize("name", SPEECHES)
def test_execution_event_carries_the_state_of_a_long_text(name: str) -> None:
    event = load(name)
    state = json.loads(event["detail"]["input"]) if "detail" in event else event
    speech = SpeechState.from_state(state)
    assert speech.request_id.startswith("example-")
    assert speech.to_state() == state


def test_part_event_carries_a_part() -> None:
    task = PartTask.from_state(load("speak-part"))
    assert task.job_id == "example-long-text/0003-3f1c09ab"


@pytest.mark.parametrize(
    ("function", "name"),
    [("SettleJobFunction", "settle-aborted-execution"), ("SteerSpeechFunction", "steer-aborted-execution")],
)
def test_the_rule_for_ended_executions_lets_the_stored_one_through(function: str, name: str) -> None:
    rule = source_of(function, "EndedExecutions")
    event = load(name)
    assert event["source"] in rule["Pattern"]["source"]
    assert event["detail-type"] in rule["Pattern"]["detail-type"]
    assert event["detail"]["status"] in rule["Pattern"]["detail"]["status"]


def test_a_batch_to_be_counted_says_of_which_shard_it_is() -> None:
    event = load("count-succeeded")
    (change,) = job_changes(event)
    assert change.after.status in SETTLED
    assert shard_of(event) == "shardId-00000001785585600000-0a1b2c3d"
    (pattern,) = patterns("CountUsageFunction", "SettledJobs")
    assert set(pattern["dynamodb"]["NewImage"]["status"]["S"]) == set(SETTLED) == announced_statuses()
    assert source_of("CountUsageFunction", "SettledJobs")["TumblingWindowInSeconds"], "else no event says its shard"


def test_metrics_are_what_the_stream_lets_through() -> None:
    event = load("aggregate-metrics")
    records, unread = metric_batch(event)
    assert unread is None
    assert [len(record.attempts) for record in records] == [3, 1]
    (pattern,) = patterns("AggregateHealthFunction", "Metrics")
    (prefix,) = pattern["dynamodb"]["Keys"]["pk"]["S"]
    for record in event["Records"]:
        assert record["eventName"] in pattern["eventName"]
        assert record["dynamodb"]["Keys"]["pk"]["S"].startswith(prefix["prefix"])


def test_the_change_of_a_providers_status_has_news_and_passes_the_filter() -> None:
    (record,) = load("alert-provider-down")["Records"]
    change = telemetry_change(record)
    assert change is not None
    assert isinstance(change.before, HealthRecord)
    assert isinstance(change.after, HealthRecord)
    assert has_news(change.before, change.after)
    pattern = patterns("AlertOperatorsFunction", "Changes")[0]["dynamodb"]
    assert record["dynamodb"]["Keys"]["pk"]["S"] in pattern["Keys"]["pk"]["S"]
    assert pattern["NewImage"]["news"]["S"] == [{"exists": True}]
    assert "news" in record["dynamodb"]["NewImage"]


def test_requests_are_of_the_routes_that_the_functions_have() -> None:
    asked, told = (APIGatewayProxyEventV2(load(name)) for name in ("serve-providers-health", "receive-job-over"))
    api, webhook = source_of("ServeApiFunction", "Api"), source_of("ReceiveWebhookFunction", "JobIsOver")
    assert asked.route_key == f"{api['Method']} {api['Path']}"
    assert told.route_key == f"{webhook['Method']} {webhook['Path']}"
    assert (asked.request_context.http.method, asked.path) == ("GET", "/api/v1/providers/health")
    lambda_context = asked.request_context.authorizer
    assert lambda_context is not None
    assert lambda_context.get_lambda == {"token": "ann"}


def test_a_request_that_waits_is_of_the_route_that_its_function_has() -> None:
    asked, source = APIGatewayProxyEventV2(load("wait-for-job")), source_of("WaitForJobFunction", "Wait")
    assert asked.route_key == f"{source['Method']} {source['Path']}"
    assert roles_of(asked.request_context.http.method, asked.path)


def test_an_sdks_request_is_of_a_route_in_openais_shape() -> None:
    request = sent(load("answer-speech"))
    assert roles_of(request.method, request.path, OPENAI_ACCESS, "")
    assert (request.attempt, request.key) == (0, None)
    assert set(fields_of(request)) == {"input", "model", "voice"}


@pytest.mark.parametrize("name", ["authorize-known-token", "authorize-unknown-token"])
def test_an_authorizers_request_names_the_header_that_it_is_identified_by(name: str) -> None:
    event = APIGatewayAuthorizerEventV2(load(name))
    auth = load_template()["Resources"]["HttpApi"]["Properties"]["Auth"]["Authorizers"]["BearerToken"]
    headers = [header.lower() for header in auth["Identity"]["Headers"]]
    assert event.get("version") == auth["AuthorizerPayloadFormatVersion"]
    assert event.identity_source == [event.headers[header] for header in headers]


def test_the_webhook_is_one_that_fal_might_have_signed() -> None:
    event = load("receive-job-over")
    moment = float(event["headers"]["x-fal-webhook-timestamp"])
    call = signed_call(event["headers"], event["body"].encode(), now=moment)
    assert call is not None
    assert json.loads(event["body"])["request_id"] == call.request_id


def test_the_sweep_is_called_by_a_schedule() -> None:
    event = load("probe-every-minute")
    assert (event["source"], event["detail-type"], event["detail"]) == ("aws.scheduler", "Scheduled Event", "{}")
    assert "ProbeProvidersFunctionEveryMinute" in event["resources"][0]
    assert source_of("ProbeProvidersFunction", "EveryMinute")["ScheduleExpression"] == "rate(1 minute)"
