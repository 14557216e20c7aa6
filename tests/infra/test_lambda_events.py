"""events/lambda: what `sam local invoke` and the functional tests feed to the functions, shaped as AWS sends it."""

import hashlib
import json
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import DynamoDBStreamEvent, SQSEvent

from mediarelay.contracts.job import JobRecord
from mediarelay.contracts.kinds import SETTLED
from mediarelay.contracts.media_job import MediaJob
from tests.infra.template_document import ROOT, load_template

FOLDER = ROOT / "events" / "lambda"
DISPATCH = sorted(path.stem for path in FOLDER.glob("dispatch-*.json"))
JOBS = sorted(path.stem for path in FOLDER.iterdir() if path.stem.startswith(("submit-", "poll-", "settle-")))
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


def announced_statuses() -> set[str]:
    source = load_template()["Resources"]["AnnounceResultFunction"]["Properties"]["Events"]["SettledJobs"]
    pattern = json.loads(source["Properties"]["FilterCriteria"]["Filters"][0]["Pattern"])
    return set(pattern["dynamodb"]["NewImage"]["status"]["S"])


def test_every_event_belongs_to_a_function() -> None:
    assert sorted([*DISPATCH, *ANNOUNCE, *JOBS]) == sorted(path.stem for path in FOLDER.iterdir())


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
    state = json.loads(event["detail"]["input"]) if "detail" in event else event
    job = MediaJob.from_state(state)
    assert job.request_id.startswith("example-")
    assert job.to_state()["job"]["request_id"] == job.request_id
    assert (job.vendor is None) == (name in {"submit-video", "settle-aborted-execution"})


def test_the_rule_for_ended_executions_lets_the_stored_one_through() -> None:
    rule = load_template()["Resources"]["SettleJobFunction"]["Properties"]["Events"]["EndedExecutions"]["Properties"]
    event = load("settle-aborted-execution")
    assert event["source"] in rule["Pattern"]["source"]
    assert event["detail-type"] in rule["Pattern"]["detail-type"]
    assert event["detail"]["status"] in rule["Pattern"]["detail"]["status"]
