"""What is paid for and could be neither fetched nor stored: its link is kept, and it is never bought again for that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mediarelay.dispatch.ports import QueueMessage
from mediarelay.job_records.contract import JobRecord
from mediarelay.vocabulary.kinds import JobStatus, SpendingState
from tests.builders.requests import image, message, tts
from tests.doubles.scripted_http import MEDIA, Answer
from tests.doubles.trouble import KillSwitch, Mortal, Outage, WorkerKilled
from tests.harness.bench import Bench
from tests.harness.worker import worker

JSON = {"content-type": "application/json"}
LINKED = Answer(200, b'{"images": [{"url": "https://media.invalid/a.png"}]}', JSON, paid=True)
GONE, PICTURE = Answer(404), Answer(200, MEDIA["png"], {"content-type": "image/png"})
REQUEST: dict[str, Any] = {"request_id": "job-1", "providers": ["fal-flux"], "on_ambiguous": "resubmit"}


def linked() -> Bench:
    bench = Bench()
    bench.http.always("fal.run", LINKED)
    bench.http.always("media.invalid", PICTURE)
    return bench


def delivered(bench: Bench, body: dict[str, Any], *, seconds: float = 24 * 3600.0) -> JobRecord:
    """The record after all deliveries that the message has in that time."""
    given: list[QueueMessage] = [message(body)]
    until = bench.clock.now() + seconds
    while bench.clock.now() < until:
        for each in given:
            bench.handle(each)
        bench.clock.advance(10)
        given = bench.queue.due()
    record = bench.world.jobs.get("job-1")
    assert record is not None
    return record


def away(bench: Bench, seconds: float, *stores: str) -> None:
    outage = Outage(bench.clock)
    for name in stores:
        setattr(bench.world, name, outage.around(getattr(bench.world, name)))
    outage.begin(seconds)


@pytest.mark.parametrize("strategy", ["ordered", "fastest"])
def test_a_picture_that_cannot_be_downloaded_is_fetched_later_and_bought_once(strategy: str) -> None:
    bench = linked()
    bench.http.always("media.invalid", GONE)
    first = delivered(bench, image(strategy=strategy, **REQUEST), seconds=600)
    assert (first.status, len(bench.http.calls)) == (JobStatus.DEFERRED, 1)
    assert first.purchases[-1].uncollected is not None
    bench.http.always("media.invalid", PICTURE)
    record = delivered(bench, image(strategy=strategy, **REQUEST), seconds=1800)
    assert (record.status, len(bench.http.calls), len(record.outputs)) == (JobStatus.SUCCEEDED, 1, 1)
    assert [(each.state, each.uncollected) for each in record.purchases] == [(SpendingState.CHARGED, None)]
    assert (record.cost_usd, record.cost_certain) == (first.purchases[-1].cost_usd, True)
    assert record.provider == "fal-flux"


def test_a_picture_that_never_comes_ends_at_its_deadline_with_its_address_and_cost() -> None:
    bench = linked()
    bench.http.always("media.invalid", GONE)
    record = delivered(bench, image(timeout_seconds=1800, **REQUEST), seconds=2 * 3600)
    assert record.error is not None
    assert (record.status, record.error.code, len(bench.http.calls)) == (JobStatus.FAILED, "result_not_fetched", 1)
    assert "https://media.invalid/a.png" in record.error.message
    assert (record.cost_usd > 0, record.cost_certain) == (True, True)


def test_a_paid_picture_outlasts_forty_minutes_without_the_bucket() -> None:
    bench = linked()
    away(bench, 2400, "media")
    record = delivered(bench, image(**REQUEST), seconds=2 * 3600)
    assert (record.status, len(bench.http.calls), record.cost_certain) == (JobStatus.SUCCEEDED, 1, True)


def test_speech_that_cannot_be_stored_says_so_with_its_cost_and_is_not_bought_again() -> None:
    """Its bytes are in the worker's hands only: nobody can fetch them later."""
    bench = Bench()
    away(bench, 2400, "media")
    record = delivered(bench, tts(request_id="job-1", providers=["openai-tts"]), seconds=2 * 3600)
    assert record.error is not None
    assert (record.status, record.error.code, len(bench.http.calls)) == (JobStatus.FAILED, "result_not_stored", 1)
    assert (record.cost_usd > 0, record.cost_certain) == (True, True)


def test_a_link_that_leads_to_something_else_is_paid_in_vain() -> None:
    bench = linked()
    bench.http.always("media.invalid", GONE)
    delivered(bench, image(**REQUEST), seconds=300)
    bench.http.always("media.invalid", Answer(200, MEDIA["mp3"], {"content-type": "image/png"}))
    record = delivered(bench, image(**REQUEST), seconds=1800)
    assert record.error is not None
    assert (record.status, record.error.code, len(bench.http.calls)) == (JobStatus.FAILED, "unusable_delivery", 1)
    assert record.cost_usd > 0


def test_what_is_fetched_later_says_how_it_differs_from_what_was_asked_for() -> None:
    bench = linked()
    bench.http.always("media.invalid", GONE)
    delivered(bench, image(**REQUEST), seconds=300)
    bench.http.always("media.invalid", Answer(200, MEDIA["jpeg"], {"content-type": "image/png"}))
    record = delivered(bench, image(**REQUEST), seconds=1800)
    assert (record.status, [output.content_type for output in record.outputs]) == (JobStatus.SUCCEEDED, ["image/jpeg"])
    assert [warning.partition(":")[0] for warning in record.warnings] == ["fal-flux"]


def test_of_two_pictures_that_are_fetched_later_the_one_that_can_be_used_is_delivered() -> None:
    bench = linked()
    two = b'{"images": [{"url": "https://files.invalid/a"}, {"url": "https://files.invalid/b"}]}'
    bench.http.always("fal.run", Answer(200, two, JSON, paid=True))
    for name in "ab":
        bench.http.always(f"files.invalid/{name}", GONE)
    request = image(input={"n": 2}, **REQUEST)
    first = delivered(bench, request, seconds=300)
    assert first.purchases[-1].uncollected is not None
    bench.http.always("files.invalid/a", Answer(200, MEDIA["mp3"], {"content-type": "image/png"}))
    bench.http.always("files.invalid/b", PICTURE)
    record = delivered(bench, request, seconds=1800)
    assert (record.status, len(record.outputs), len(bench.http.calls)) == (JobStatus.SUCCEEDED, 1, 1)
    assert record.warnings == ["fal-flux: 1 of 2 outputs can be used"]


@pytest.mark.parametrize("step", [1, 2])
def test_a_worker_that_dies_over_a_link_leaves_it_to_the_next(step: int) -> None:
    """Before the picture is stored, and just after: what is stored says what it cost, and with which key."""
    bench = linked()
    bench.http.always("media.invalid", GONE)
    bench.handle(message(image(**REQUEST)))
    first = bench.world.jobs.get("job-1")
    assert first is not None
    bench.http.always("media.invalid", PICTURE)
    bench.clock.advance(60)
    (copy,) = bench.queue.due()
    dying = worker(replace(bench.world, media=Mortal(bench.world.media, KillSwitch(step))))
    with pytest.raises(WorkerKilled):
        dying.handle(copy, worker_ends_at=bench.world.ends_at)
    bench.clock.advance(180)
    record = delivered(bench, image(**REQUEST), seconds=600)
    assert (record.status, len(bench.http.calls)) == (JobStatus.SUCCEEDED, 1)
    (bought,) = record.purchases
    assert (bought.key_id, bought.cost_usd) == (first.purchases[-1].key_id, first.purchases[-1].cost_usd)
    assert (record.cost_usd, record.cost_certain, bought.uncollected) == (first.purchases[-1].cost_usd, True, None)
