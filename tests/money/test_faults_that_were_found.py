"""Faults that cost money once, each by its own name, and what happens instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.job_records.contract import JobRecord
from tests.builders.requests import image, message, tts, video
from tests.doubles.job_vendors import reset
from tests.doubles.scripted_http import MEDIA, Answer, unanswered
from tests.doubles.trouble import KillSwitch, Mortal, Outage, WorkerKilled
from tests.harness.bench import Bench
from tests.harness.long_jobs.workflow import Bench as ClipBench
from tests.harness.worker import worker

FAL: dict[str, Any] = {"request_id": "job-1", "providers": ["fal-kling"]}
KLING: dict[str, Any] = {"request_id": "job-1", "providers": ["kling-video"]}
OPENAI: dict[str, Any] = {"request_id": "job-1", "providers": ["openai-tts"]}
FAL_USD, KLING_USD = 5 * 0.07, 5 * 0.042
MINUTES = 60.0


def test_483_clips_of_one_job_whose_answers_were_lost_are_two_and_counted() -> None:
    bench = ClipBench()
    bench.vendors.plan("submit", *[reset(after=True)] * 600)
    record = bench.run(video(**FAL, on_ambiguous="resubmit"))
    assert sum(bench.vendors.submits.values()) == 2
    assert record.cost_usd == pytest.approx(2 * FAL_USD)


def test_121_paid_calls_for_one_text_whose_answers_were_lost_are_two() -> None:
    bench = Bench()
    bench.http.always("", unanswered())
    given = message(tts(**OPENAI, on_ambiguous="resubmit"))
    for count in range(1, 30):
        bench.handle(replace(given, receive_count=count))
        bench.clock.advance(180)
    assert len(bench.http.calls) <= 2


@pytest.mark.parametrize(
    ("at", "stores"),
    [
        ("PollJobFunction", ("uploads", "media")),
        ("PollJobFunction", ("media_jobs", "slots", "times", "states")),
        ("PollJobFunction", ("source",)),
        ("SettleJobFunction", ("uploads", "media")),
        ("SettleJobFunction", ("media_jobs", "slots", "times", "states")),
    ],
    ids=["poll, S3", "poll, DynamoDB", "poll, Secrets Manager", "settle, S3", "settle, DynamoDB"],
)
def test_a_paid_clip_that_forty_minutes_without_a_store_threw_away_is_delivered(
    at: str, stores: tuple[str, ...]
) -> None:
    """A function that was lucky enough to be tried late survived it in most runs, so several are made."""
    for seed in range(10):
        bench = ClipBench(seed=seed)
        outage = Outage(bench.clock)
        bench.world = replace(bench.world, **{name: outage.around(getattr(bench.world, name)) for name in stores})
        bench.before = lambda name, _event, outage=outage: outage.begin(40 * MINUTES) if name == at else None
        assert (bench.run(video(**FAL)).status, sum(bench.vendors.submits.values())) == ("succeeded", 1)


def test_pictures_that_were_bought_five_times_since_their_workers_died_are_bought_twice() -> None:
    bench = Bench()
    picture = b'{"images": [{"url": "https://media.invalid/a.png"}]}'
    bench.http.always("fal.run", Answer(200, picture, {"content-type": "application/json"}, paid=True))
    bench.http.always("media.invalid", Answer(200, MEDIA["png"], {"content-type": "image/png"}))
    given = message(image(request_id="job-1", providers=["fal-flux"]))
    for count in range(1, 6):
        switch = KillSwitch()
        world = replace(bench.world, media=_Deadly(bench.world.media, switch))
        try:
            worker(world).handle(replace(given, receive_count=count), worker_ends_at=world.ends_at)
        except WorkerKilled:
            bench.clock.advance(180)
    assert len(bench.http.calls) <= 2


class _Deadly:
    """A bucket whose every put kills the worker, as memory that runs out does."""

    def __init__(self, media: Any, switch: KillSwitch) -> None:
        self._media = Mortal(media, switch)

    def __getattr__(self, name: str) -> Any:
        if name == "put":
            raise WorkerKilled(name)
        return getattr(self._media, name)


def test_an_id_that_came_again_with_another_strategy_and_text_buys_nothing() -> None:
    bench = Bench()
    both = ["openai-tts", "elevenlabs-tts"]
    bench.handle(tts("one text", request_id="order-17", providers=both, strategy="all"))
    calls = len(bench.http.calls)
    bench.handle(tts("another", request_id="order-17", providers=both, strategy="ordered"), message_id="message-2")
    assert (len(bench.http.calls), bench.causes()) == (calls, ["idempotency_conflict"])


def test_a_job_of_that_id_whose_worker_dies_never_delivers_the_first_ones_file() -> None:
    bench = Bench()
    both = ["openai-tts", "elevenlabs-tts"]
    bench.handle(tts("one text", request_id="order-17", providers=both, strategy="all"))
    second = message(tts("another", request_id="order-17", providers=both, strategy="ordered"), message_id="message-2")
    world = replace(bench.world, http=Mortal(bench.world.http, KillSwitch(1)))
    try:
        worker(world).handle(second, worker_ends_at=world.ends_at)
    except WorkerKilled:
        bench.clock.advance(180)
    bench.handle(replace(second, receive_count=2))
    record = bench.world.jobs.get("order-17")
    assert record is None or record.outputs == []


def test_a_clip_accepted_while_it_was_cancelled_does_not_run_on_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = ClipBench()
    bench.publish(video(**KLING))
    jobs: Any = bench.world.jobs
    note_cancel = jobs.note_cancel

    def late(request_id: str, at: int) -> bool:
        monkeypatch.setattr(jobs, "note_cancel", note_cancel)
        bench.execute_until("job-1", "Wait for the provider")
        return bool(note_cancel(request_id, at))

    monkeypatch.setattr(jobs, "note_cancel", late)
    bench.publish({"cancel": "job-1"}, message_id="message-2")
    assert bench.record("job-1").cost_usd == pytest.approx(KLING_USD)


# --- endings of which the record said $0 --------------------------------------------------------------------------


def lost_submit() -> JobRecord:
    bench = ClipBench()
    bench.vendors.plan("submit", reset(after=True))
    return bench.run(video(**FAL))


def broken(seconds: float) -> Callable[[], JobRecord]:
    """An accepted clip whose execution fails for good, so long after it was accepted."""

    def run() -> JobRecord:
        bench = ClipBench()

        def before(name: str, _event: object) -> None:
            if name == "PollJobFunction":
                bench.clock.advance(seconds)
                raise ZeroDivisionError("a slip")

        bench.before = before
        return bench.run(video(**KLING, timeout_seconds=600))

    return run


def lost_speech() -> JobRecord:
    bench = Bench()
    bench.http.plan("api.openai.com", unanswered())
    return bench.served(tts(**OPENAI))


def cancelled() -> JobRecord:
    bench = ClipBench()
    bench.publish(video(**KLING))
    bench.execute_until("job-1", "Wait for the provider")

    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError("a slip")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mediarelay.long_jobs.vendor_client.VendorJobClient.cancel", fails)
        bench.publish({"cancel": "job-1"}, message_id="m-2")
    return bench.record("job-1")


def of_no_use() -> JobRecord:
    bench = Bench()
    bench.http.always("api.openai.com", Answer(200, MEDIA["png"], {"content-type": "audio/mpeg"}, paid=True))
    return bench.served(tts(**OPENAI))


@pytest.mark.parametrize(
    "ended",
    [lost_submit, broken(0.0), broken(700.0), lost_speech, cancelled, of_no_use],
    ids=["ambiguous", "internal error", "expired", "speech lost", "cancelled", "of no use"],
)
def test_an_ending_that_said_nothing_of_what_was_spent_says_it(ended: Callable[[], JobRecord]) -> None:
    record = ended()
    assert record.status.settled
    assert record.cost_usd > 0


def test_pictures_of_ten_dollars_may_be_forbidden() -> None:
    bench = Bench()
    dearest = {"n": 10, "quality": "high", "size": "3840x2160"}
    bench.handle(image(request_id="job-1", providers=["openai-image"], input=dearest, max_cost_usd=0.5))
    assert (bench.causes(), bench.http.calls) == (["too_expensive"], [])
