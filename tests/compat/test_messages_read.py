"""Today's code understands what the version before had sent off."""

from __future__ import annotations

import json
from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest

from mediarelay.alerts.contract import Alert
from mediarelay.announce.contract import ResultEvent
from mediarelay.api.tokens import TOKENS
from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import QueueMessage
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import JobSpec, fingerprint_of
from mediarelay.keys.parsing import keys_from
from mediarelay.limits.planning import Reservation
from mediarelay.long_jobs.execution_state import ExecutionState, NextStep
from mediarelay.serving.serve import Done
from mediarelay.vocabulary.kinds import JobStatus
from tests.compat.files import without_news, written_before
from tests.compat.jobs import AT
from tests.compat.messages import parse_request
from tests.doubles.clock import ManualClock
from tests.doubles.recording import MemoryCounters

STATES = written_before("executions")["states"]
DEFERRED = [call for call in written_before("messages") if call["QueueUrl"] == "queue"]
RESERVATION = Reservation("openai-tts", "acme", "0123456789ab", AT / 1000 + 17.123457, 3, 1.234)


def handled(call: dict[str, Any]) -> tuple[JobSpec, Reservation | None]:
    """What a worker makes of a message that was sent by this call: the job, and what is reserved for it."""
    served: list[tuple[JobSpec, Reservation | None]] = []

    def serve(spec: JobSpec, *, reservation: Reservation | None, **_: Any) -> Done:
        served.append((spec, reservation))
        return Done()

    clock = ManualClock(AT / 1000)
    parts: dict[str, Any] = dict.fromkeys(("queue", "seldom"))
    parts["seldom"] = SimpleNamespace(
        lost_queue="lost", front_queue="", callback_hosts=(), keep=None, counters=MemoryCounters()
    )
    # What the version before left of it: by the plain id, though the request has a tenant.
    record = JobRecord(request_id="job-1", status=JobStatus.DEFERRED, received_at=AT, tenant="acme")
    parts["jobs"] = SimpleNamespace(get={"job-1": record}.get)
    parts["router"] = SimpleNamespace(routes=lambda *_, **__: [])
    parts["server"] = SimpleNamespace(serve=serve)
    service = DispatchService(clock=clock, **parts)
    attributes = {name: value["StringValue"] for name, value in call["MessageAttributes"].items()}
    message = QueueMessage("message-9", "receipt-9", call["MessageBody"], AT + 30_000, 1, attributes, "acme")
    service.handle(message, worker_ends_at=AT / 1000 + 60)
    return served[0]


@pytest.mark.parametrize(
    ("number", "reservation", "age"), [(0, None, 1500), (1, RESERVATION, 1500), (2, None, 9000), (3, RESERVATION, 9000)]
)
def test_a_deferred_message_is_the_message_it_was(number: int, reservation: Reservation | None, age: int) -> None:
    spec, reserved = handled(DEFERRED[number])
    assert (spec.job_id, spec.received_at, spec.known) == ("job-1", AT - age, True)
    assert reserved == reservation


@pytest.mark.parametrize("name", STATES)
def test_an_execution_goes_on_with_its_state(name: str) -> None:
    state = ExecutionState.from_state(STATES[name])
    assert state.to_state() == STATES[name]


def test_a_message_that_was_parked_says_why() -> None:
    (parked,) = [call for call in written_before("messages") if call["QueueUrl"] == "dlq"]
    assert parked["MessageAttributes"]["error_code"]["StringValue"] == "invalid_request"


def test_every_step_is_among_the_states() -> None:
    assert {ExecutionState.from_state(state).next for state in STATES.values()} == set(NextStep)


def test_events_of_results_are_read_by_their_contract() -> None:
    for entry in written_before("results"):
        event = ResultEvent.model_validate_json(json.dumps(entry["Message"]))
        assert without_news(event.model_dump(mode="json"), entry["Message"]) == entry["Message"]


def test_alerts_are_read_by_their_contract() -> None:
    for call in written_before("alerts"):
        document = json.loads(call["Message"]["sqs"])
        assert without_news(Alert.model_validate(document).model_dump(mode="json"), document) == document


def test_secrets_mean_what_they_meant() -> None:
    before = written_before("secrets")
    keys = {vendor: [asdict(key.entry) for key in found] for vendor, found in keys_from(before["keys_secret"]).items()}
    assert keys == before["keys"]
    tokens = TOKENS.validate_json(json.dumps(before["tokens_secret"]))
    assert [{"name": token.name, "expires_at": token.expires_at} for token in tokens] == before["tokens"]


@pytest.mark.parametrize("name", written_before("requests"))
def test_a_duplicate_of_a_request_is_known(name: str) -> None:
    before = written_before("requests")[name]
    assert fingerprint_of(parse_request(json.dumps(before["body"]))) == before["fingerprint"]
