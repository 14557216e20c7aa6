from __future__ import annotations

import gc
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mediarelay_client import (
    ContentRejected,
    InvalidRequest,
    JobExpired,
    JobFailed,
    JobRejected,
    NotAllowed,
    Relay,
    RelayError,
    Unavailable,
    WaitTimeout,
    desk,
)
from mediarelay_client import result as result_module
from mediarelay_client.errors import AmbiguousPurchase, JobCancelled, OverBudget
from tests.harness.client_stack import CONTENT, ClientStack


def lines(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"kind": "tts", "request_id": f"r-{number}", "input": {"text": f"line {number}"}}


def failed(status: str, code: str) -> dict[str, Any]:
    return {"status": status, "error": {"code": code, "message": "no", "retryable": False}}


def test_one_request_comes_back_as_a_checked_file(relay: Relay, tmp_path: Path) -> None:
    result = relay.say("hello", voice="alloy").result(timeout=20)
    assert result.save(tmp_path / "hello").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["hello.mp3"]
    assert result.cost_usd == 0.001


def test_what_is_said_besides_goes_where_it_belongs(relay: Relay, stack: ClientStack) -> None:
    relay.film("waves", duration=5, tenant="acme", providers=["kling-video"], max_cost_usd=1.0)
    (body,) = stack.published
    assert body["input"] == {"prompt": "waves", "duration": 5}
    assert (body["tenant"], body["providers"], body["max_cost_usd"]) == ("acme", ["kling-video"], 1.0)
    assert body["request_id"].startswith("tests-")


def test_a_single_request_makes_no_queue(relay: Relay, stack: ClientStack) -> None:
    relay.say("hello").result(timeout=20)
    assert not stack.queues
    assert not stack.deleted


def test_a_mistake_is_found_before_anything_is_sent_in_the_queues_words(relay: Relay, stack: ClientStack) -> None:
    with pytest.raises(InvalidRequest) as caught:
        relay.say("hello", speed=9)
    assert caught.value.message == "input.speed: must be less than or equal to 4"
    assert stack.published == []


def test_many_come_back_each_once_though_told_twice_and_no_queue_is_left(stack: ClientStack) -> None:
    stack.copies = 2
    with Relay(stack.settings()) as relay:
        results = list(relay.submit_many(lines(250), in_flight=60))
        assert Counter(result.event.request_id for result in results) == Counter(f"r-{n}" for n in range(250))
        assert all(result.event.request_id == f"r-{result.input_index}" for result in results)
    assert not stack.queues
    assert len(stack.deleted) == 1


def test_requests_are_taken_no_further_than_those_in_flight(relay: Relay, stack: ClientStack) -> None:
    stack.answer = lambda _: None
    taken: list[int] = []

    def endless() -> Iterator[dict[str, Any]]:
        for body in lines(10_000):
            taken.append(1)
            yield body

    with pytest.raises(WaitTimeout) as caught:
        next(relay.submit_many(endless(), in_flight=30, timeout=0.1))
    assert len(taken) == 30
    assert caught.value.retryable


def test_results_come_as_they_end(relay: Relay, stack: ClientStack) -> None:
    stack.answer = lambda body: None if body["request_id"] == "r-0" else {"status": "succeeded"}
    results = relay.submit_many(lines(3), timeout=20)
    assert {next(results).event.request_id for _ in range(2)} == {"r-1", "r-2"}
    stack.jobs.pop("r-0")
    stack.answer = lambda _: {"status": "succeeded"}
    stack.settle(next(lines(1)), "message-1")
    assert [result.event.request_id for result in results] == ["r-0"]


def test_a_lost_reply_is_asked_from_the_api(relay: Relay, stack: ClientStack) -> None:
    stack.replies = False
    assert len(list(relay.submit_many(lines(25)))) == 25


def test_a_stack_of_an_earlier_version_is_asked_one_by_one(stack: ClientStack) -> None:
    stack.batched = False
    with Relay(stack.settings(reply_prefix=None)) as relay:
        assert len(list(relay.submit_many(lines(25)))) == 25
    assert all("reply_to" not in body for body in stack.published)


def test_with_a_token_alone_the_api_takes_requests(stack: ClientStack) -> None:
    with Relay.from_api(stack.url, "a-token-of-the-tests") as relay:
        assert relay.say("hello").result(timeout=20).ok
        assert len(list(relay.submit_many(lines(12)))) == 12
    assert not stack.queues


def test_what_the_queue_lost_of_a_batch_is_sent_again(
    relay: Relay, stack: ClientStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, losses = stack.send_message_batch, [3]

    def some(*, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 # boto3's names
        lost = Entries[: losses.pop()] if losses else []
        answer = whole(QueueUrl=QueueUrl, Entries=Entries[len(lost) :])
        return {**answer, "Failed": [{"Id": entry["Id"], "Code": "InternalError"} for entry in lost]}

    monkeypatch.setattr(stack, "send_message_batch", some)
    results = list(relay.submit_many(lines(25)))
    assert sorted(result.input_index or 0 for result in results) == list(range(25))
    assert len(stack.bought) == 25


def test_without_a_token_results_come_by_the_queue_alone(stack: ClientStack) -> None:
    with Relay(stack.settings(api_token=None)) as relay:
        assert relay.say("hello").result(timeout=20).ok
        with pytest.raises(NotAllowed):
            relay.submit({"kind": "tts", "strategy": "all", "input": {"text": "hello"}})
    assert not stack.queues


def test_a_wrong_token_is_told_to_who_waits(stack: ClientStack) -> None:
    with Relay(stack.settings(api_token="another-token-entirely")) as relay, pytest.raises(NotAllowed):
        relay.say("hello").result(timeout=20)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("rejected", "no_provider", JobRejected),
        ("expired", "expired", JobExpired),
        ("rejected", "over_budget", OverBudget),
        ("failed", "cancelled", JobCancelled),
        ("failed", "content_rejected", ContentRejected),
        ("failed", "ambiguous_submit", AmbiguousPurchase),
        ("failed", "of_tomorrow", JobFailed),
    ],
)
def test_an_end_without_a_result_is_an_error_of_its_kind(
    relay: Relay, stack: ClientStack, status: str, code: str, kind: type[JobFailed]
) -> None:
    stack.answer = lambda _: failed(status, code)
    with pytest.raises(JobFailed) as caught:
        relay.say("hello").result(timeout=20)
    assert type(caught.value) is kind
    assert caught.value.code == code


def test_of_many_the_refused_are_results_too_unless_errors_are_asked_for(relay: Relay, stack: ClientStack) -> None:
    stack.answer = lambda body: (
        failed("rejected", "no_provider") if body["request_id"] == "r-1" else {"status": "succeeded"}
    )
    requests = [*lines(2), {"kind": "tts", "input": {"text": ""}}]
    results = {result.input_index: result for result in relay.submit_many(requests)}
    assert [results[number].event.status for number in range(3)] == ["succeeded", "rejected", "rejected"]
    assert results[2].event.error is not None
    assert results[2].event.error.message.startswith("input.text")
    with pytest.raises(JobRejected):
        list(relay.submit_many([{"kind": "tts", "input": {"text": ""}}], raise_errors=True))


def test_everybodys_results_come_once_until_the_relay_is_closed(stack: ClientStack) -> None:
    relay = Relay(stack.settings(topic_arn="arn:aws:sns:eu-central-1:1:results"))
    events = relay.events(kind="tts")
    stack.answer = lambda _: {"status": "succeeded"}
    stack.settle(next(lines(1)), "message-1")
    stack.topic = [json.dumps(stack.event("r-0"))] * 2
    assert next(events).request_id == "r-0"
    relay.close()
    assert list(events) == []
    assert not stack.queues


def test_a_forked_child_leaves_its_parents_queue(stack: ClientStack, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Relay(stack.settings())
    assert len(list(relay.submit_many(lines(3)))) == 3
    monkeypatch.setattr(os, "getpid", lambda: -1)
    del relay
    gc.collect()
    assert stack.queues


def test_a_wait_may_end_before_the_job(relay: Relay, stack: ClientStack) -> None:
    stack.answer = lambda _: None
    job = relay.say("hello")
    with pytest.raises(WaitTimeout):
        job.result(timeout=0.05)
    assert job.status() == "running"
    job.cancel()
    assert stack.published[-1] == {"cancel": job.request_id}


def test_updates_tell_each_state_once(relay: Relay, stack: ClientStack) -> None:
    stack.answer = lambda _: None
    job = relay.say("hello")
    updates = job.updates(timeout=20)
    assert next(updates).state == "running"
    stack.jobs.clear()
    stack.answer = lambda _: {"status": "succeeded"}
    stack.settle(stack.published[0], "message-1")
    last = list(updates)[-1]
    assert last.result is not None
    assert last.result.ok


def test_a_handle_finds_what_was_published_elsewhere(relay: Relay, stack: ClientStack) -> None:
    stack.settle(next(lines(1)), "message-9")
    assert relay.job("r-0").result(timeout=20).ok
    assert stack.published == []


def test_a_link_that_has_ended_is_renewed_once(relay: Relay, stack: ClientStack) -> None:
    result = relay.say("hello").result(timeout=20)
    stack.expired_links.add(result.outputs[0].url)
    stack.jobs[result.event.request_id]["links"] = [stack.link(result.event.request_id)]
    assert result.outputs[0].read() == CONTENT


def test_an_error_of_a_file_tells_no_link(relay: Relay, stack: ClientStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_module, "_PAUSE", 0)
    result = relay.say("hello").result(timeout=20)
    stack.expired_links.add(result.outputs[0].url)
    with pytest.raises(Unavailable) as caught:
        result.outputs[0].read()
    assert caught.value.message == "the file can't be fetched (HTTP 403)"


def test_a_file_with_another_checksum_is_not_kept(relay: Relay, stack: ClientStack, tmp_path: Path) -> None:
    stack.content = b"what the event tells of"
    result = relay.say("hello").result(timeout=20)
    with pytest.raises(RelayError) as caught:
        result.save(tmp_path / "hello.mp3")
    assert caught.value.code == "wrong_checksum"
    assert list(tmp_path.iterdir()) == []


def test_a_forgotten_relay_leaves_no_queue(stack: ClientStack) -> None:
    relay = Relay(stack.settings())
    assert len(list(relay.submit_many(lines(3)))) == 3
    assert stack.queues
    del relay
    gc.collect()
    assert not stack.queues


def test_a_result_shows_no_link(relay: Relay) -> None:
    result = relay.say("hello").result(timeout=20)
    assert "http" not in repr(result)


def test_a_job_is_waited_for_at_the_api_where_it_offers_that(
    stack: ClientStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "ONLY_WAY", (60.0,))  # nothing else would ask
    stack.waits, stack.answer = True, lambda _: None
    with Relay(stack.settings(reply_prefix=None), client="tests") as relay:
        job = relay.say("hello")
        assert job.result(timeout=5).event.status == "succeeded"
        assert stack.waited == [None, "running"]
        stack.answer = lambda _: None
        states = [update.state for update in relay.say("again").updates(timeout=5)]
    assert states == ["running", "succeeded"]
