"""Executions end before their history is full, however long a vendor refuses, and waste no transitions.

AWS Step Functions developer guide, "Step Functions service quotas": an execution whose history reaches 25,000 events
fails. Submitting, deciding and waiting write nine.
"""

from __future__ import annotations

import pytest

from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import video
from tests.doubles.job_vendors import Fault
from tests.doubles.scripted_http import document
from tests.harness.long_jobs.asl import EVENTS_LIMIT, Execution, StateMachine
from tests.harness.long_jobs.workflow import Bench

KLING = {"request_id": "job-1", "providers": ["kling-video"]}
MINUTE, HOUR, DAY = 60, 3600, 24 * 3600


REFUSED_AT_ONCE = Fault(document(429, {"code": 1302, "message": "no", "request_id": "r"}, retry_after=1))
MORE_THAN_ASKED = 50_000


@pytest.mark.parametrize(("seconds", "transitions"), [(4 * HOUR, 600), (DAY, 1600)])
def test_a_vendor_that_refuses_until_the_deadline_fills_no_history(seconds: int, transitions: int) -> None:
    bench = Bench()
    bench.vendors.plan("submit", *[REFUSED_AT_ONCE] * MORE_THAN_ASKED)
    began = bench.clock.now()
    record = bench.run(video(timeout_seconds=seconds, **KLING))
    assert (record.status, bench.ran.status) == (JobStatus.EXPIRED, "SUCCEEDED")
    assert seconds <= bench.clock.now() - began < seconds + MINUTE, "its waits end at the deadline"
    assert bench.ran.history.total() < EVENTS_LIMIT / 4
    assert bench.ran.visits.total() < transitions


def test_an_execution_that_is_never_done_fails_when_its_history_is_full() -> None:
    machine = {
        "StartAt": "Wait",
        "States": {
            "Wait": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "Again"},
            "Again": {"Type": "Choice", "Choices": [], "Default": "Wait"},
        },
    }
    bench = Bench()
    ran = StateMachine({}, bench.clock, machine=machine).run(Execution("endless", {"seconds": 1}))
    assert (ran.status, ran.error) == ("FAILED", "States.Runtime")
    assert ran.history.total() == EVENTS_LIMIT
