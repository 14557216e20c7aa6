"""A job that a vendor accepted, followed up to its end: polled, stopped in time, never bought again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.api import (
    Absent,
    Delivery,
    Finished,
    JobAnswer,
    JobFailed,
    ProviderCall,
    RemoteMedia,
    Running,
    Task,
)
from mediarelay.serving.following import followed
from mediarelay.vocabulary.errors import Unreachable
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.doubles.clock import ManualClock

DONE = Finished((RemoteMedia("https://media.invalid/1.mp3"),), ("mp3",), 0.02)
STOPPED = JobFailed(Failure(Outcome.PROVIDER_FAULT, "prediction_canceled", cost_usd=0.02))
BUSY = Failure(Outcome.THROTTLED, "throttled", wait_seconds=3.0)
TASK = {"path": "/jobs/1"}


@dataclass
class Vendor:
    """Answers one question after the other; the last answer for ever. An exception is raised instead."""

    answers: Sequence[JobAnswer | Unreachable]
    on_cancel: JobAnswer | Unreachable = field(default_factory=Running)
    asked: list[str] = field(default_factory=list)

    def poll_request(self, task: Task) -> HttpRequest:
        return HttpRequest("GET", task["path"], {})

    def cancel_request(self, task: Task) -> HttpRequest:
        return HttpRequest("POST", task["path"], {})

    def ask(self, request: HttpRequest) -> HttpReply:
        self.asked.append(request.method)
        answer = self._next()
        if isinstance(answer, Unreachable):
            raise answer
        return HttpReply(200, {}, None)

    def parse_poll(self, reply: HttpReply, call: ProviderCall) -> JobAnswer:
        assert reply.status == 200
        assert call is None
        answer = self._next()
        assert not isinstance(answer, Unreachable)
        return answer

    def estimate_usd(self, call: ProviderCall) -> float:
        assert call is None
        return 0.05

    def _next(self) -> JobAnswer | Unreachable:
        if self.asked[-1] == "POST":
            return self.on_cancel
        polls = self.asked.count("GET")
        return self.answers[min(polls, len(self.answers)) - 1]


def follow(vendor: Vendor, seconds: float = 60.0) -> tuple[Delivery | Failure, ManualClock]:
    clock = ManualClock()
    came = followed(vendor, None, TASK, ask=vendor.ask, until=clock.now() + seconds, clock=clock)
    return came, clock


@pytest.mark.parametrize(
    "before",
    [[], [Running()], [Running(), Absent(), BUSY], [Unreachable("read_timeout", "no answer", sent=True), Running()]],
)
def test_it_is_asked_until_it_is_over_whatever_a_question_comes_to(before: list[JobAnswer | Unreachable]) -> None:
    vendor = Vendor([*before, DONE])
    came, _ = follow(vendor)
    assert came == Delivery(DONE.media, "mp3", 0.02)
    assert vendor.asked == ["GET"] * (len(before) + 1)


def test_a_job_that_fails_is_a_failure_and_is_not_stopped() -> None:
    failure = Failure(Outcome.CONTENT_REJECTED, "prediction_failed")
    vendor = Vendor([Running(), JobFailed(failure)])
    assert follow(vendor)[0] == failure
    assert "POST" not in vendor.asked


def test_it_waits_as_long_as_the_vendor_asks_within_reason() -> None:
    _, clock = follow(Vendor([BUSY, Failure(Outcome.THROTTLED, "throttled", wait_seconds=600.0), DONE]))
    assert clock.sleeps == [1.0, 3.0, 5.0]


def test_what_is_not_over_in_time_is_stopped_with_time_left_for_the_result() -> None:
    vendor = Vendor([Running()], on_cancel=STOPPED)
    came, clock = follow(vendor, seconds=30.0)
    assert came == STOPPED.failure
    assert vendor.asked[-1] == "POST"
    assert 20.0 < sum(clock.sleeps) < 25.0


def test_what_is_over_before_it_could_be_stopped_is_delivered() -> None:
    assert isinstance(follow(Vendor([Running()], on_cancel=DONE))[0], Delivery)
    assert isinstance(follow(Vendor([Running(), DONE]), seconds=7.5)[0], Delivery)


@pytest.mark.parametrize("on_cancel", [Running(), Failure(Outcome.PROVIDER_FAULT, "http_500"), Absent()])
def test_what_nobody_knows_the_end_of_counts_as_paid_and_is_bought_nowhere_else(on_cancel: JobAnswer) -> None:
    came, _ = follow(Vendor([Running()], on_cancel=on_cancel))
    assert isinstance(came, Failure)
    assert (came.outcome, came.code, came.cost_usd) == (Outcome.TIMEOUT_SENT, "still_running", 0.05)


def test_without_time_it_is_only_stopped_and_looked_at_once() -> None:
    vendor = Vendor([Running()])
    follow(vendor, seconds=1.0)
    assert vendor.asked == ["POST", "GET"]
