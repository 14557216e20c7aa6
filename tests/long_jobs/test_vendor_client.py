"""Questions to vendors: where they go, what signs them, and what of an answer may be shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from mediarelay.http.messages import HttpRequest
from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.pool import KeyEntry
from mediarelay.long_jobs.vendor_client import VendorJobClient
from mediarelay.providers.api import Accepted, ProviderCall, Running
from mediarelay.providers.catalogue import models
from mediarelay.providers.listing import base_urls
from mediarelay.providers.registry import JOB_PROVIDERS
from mediarelay.request.model import VideoInput
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.doubles.clock import ManualClock
from tests.doubles.scripted_http import Answer, document

SECRET = "obviously-fake-key-0001"  # made up
KEY = ApiKey(SecretStr(SECRET), KeyEntry("k1", "kling"))
KLING, FAL = JOB_PROVIDERS["kling-video"], JOB_PROVIDERS["fal-kling"]
TASK = {"status_path": "/proxy/fal-ai/x/requests/r/status", "response_path": "/r", "cancel_path": "/c"}


class Wire:
    """Answers in turn, and remembers what was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[Answer]:
        del deadline
        self.asked.append((request.url, request.headers["authorization"]))
        yield self.answers.pop(0)


def wired(*answers: Answer, **changed: str) -> tuple[VendorJobClient, Wire]:
    vendor_client = Wire(*answers)
    urls = {name.replace("_", "-"): url for name, url in changed.items()}
    return VendorJobClient(
        vendor_client, base_urls={**base_urls({}, {}), **urls}, secrets=lambda: [SECRET], clock=ManualClock()
    ), vendor_client  # type: ignore[arg-type]


def call(provider: str) -> ProviderCall:
    model = next(iter(models(provider).values()))
    return ProviderCall("job-1", VideoInput(prompt="x"), model)


def refusal(code: int, message: str = "no") -> Answer:
    return document(401, {"code": code, "message": message})


@pytest.mark.parametrize("code", [1003, 1004])
def test_a_stale_token_is_signed_once_more(code: int) -> None:
    jobs, vendor_client = wired(refusal(code), document(200, {"code": 0, "data": {"task_id": "t"}}))
    answer, status = jobs.submit(KLING, call("kling-video"), KEY, deadline=9e9)
    assert (answer, status) == (Accepted({"task_id": "t", "path": "/v1/videos/text2video"}), 200)
    assert len(vendor_client.asked) == 2


def test_a_token_that_is_stale_twice_is_the_keys_fault() -> None:
    jobs, vendor_client = wired(refusal(1004), refusal(1004))
    answer, _ = jobs.submit(KLING, call("kling-video"), KEY, deadline=9e9)
    assert isinstance(answer, Failure)
    assert (answer.outcome, len(vendor_client.asked)) == (Outcome.KEY_REJECTED, 2)


def test_a_bad_key_is_not_tried_again() -> None:
    jobs, vendor_client = wired(refusal(1002))
    jobs.submit(KLING, call("kling-video"), KEY, deadline=9e9)
    assert len(vendor_client.asked) == 1


def test_a_key_that_a_vendor_repeats_is_not_shown() -> None:
    jobs, _ = wired(refusal(1002, f"bad key {SECRET}"))
    answer, _ = jobs.submit(KLING, call("kling-video"), KEY, deadline=9e9)
    assert isinstance(answer, Failure)
    assert SECRET not in answer.message


@pytest.mark.parametrize(
    ("base", "asked"),
    [
        ("https://proxy.example/proxy", "https://proxy.example/proxy/fal-ai/x/requests/r/status"),
        ("https://proxy.example", "https://proxy.example/proxy/fal-ai/x/requests/r/status"),
    ],
)
def test_a_returned_path_is_asked_for_at_the_configured_host(base: str, asked: str) -> None:
    jobs, vendor_client = wired(document(202, {"status": "IN_QUEUE"}), fal_kling=base)
    assert jobs.poll(FAL, call("fal-kling"), TASK, KEY, deadline=9e9) == (Running(), 202)
    assert vendor_client.asked[0][0] == asked


@pytest.mark.parametrize(("status", "stopped"), [(202, True), (200, True), (400, False), (404, False), (500, False)])
def test_a_cancel_counts_when_the_vendor_says_so(status: int, *, stopped: bool) -> None:
    jobs, _ = wired(document(status, {"status": "X"}))
    assert jobs.cancel(FAL, TASK, KEY, deadline=9e9) is stopped


def test_where_nothing_can_be_cancelled_nobody_is_asked() -> None:
    jobs, vendor_client = wired()
    assert not jobs.cancel(KLING, {"task_id": "t", "path": "/p"}, KEY, deadline=9e9)
    assert vendor_client.asked == []


def test_an_endless_answer_is_no_answer() -> None:
    jobs, _ = wired(Answer(200, b"x" * (1024 * 1024 + 1)))
    answer: Any = jobs.poll(FAL, call("fal-kling"), TASK, KEY, deadline=9e9)[0]
    assert isinstance(answer, Failure)
    assert answer.code == "too_large"
