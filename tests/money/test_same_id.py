"""One id, one content: whatever the strategy, and whosever file lies nearby."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import Any

import pytest

from mediarelay.announce.announcing import result_event
from mediarelay.job_records.contract import JobRecord, Output
from mediarelay.results.result_store import Folder, ResultStore
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import EPOCH_MS, message, tts, video
from tests.doubles.clock import ManualClock
from tests.doubles.media import MemoryMedia
from tests.doubles.queue import MemoryQueue
from tests.doubles.trouble import KillSwitch, Mortal, WorkerKilled
from tests.harness.bench import Bench
from tests.harness.long_jobs.workflow import Bench as ClipBench
from tests.harness.worker import worker

SPEECH: dict[str, Any] = {"request_id": "order-17", "providers": ["openai-tts", "elevenlabs-tts"]}
ALL: dict[str, Any] = {**SPEECH, "strategy": "all"}
ORDERED: dict[str, Any] = {**SPEECH, "strategy": "ordered"}


@pytest.mark.parametrize(("first", "second"), [(ALL, ORDERED), (ORDERED, ALL)], ids=["all first", "all second"])
def test_another_strategy_under_the_same_id_is_a_conflict_and_buys_nothing(first: Any, second: Any) -> None:
    bench = Bench()
    bench.handle(tts("one text", **first))
    calls = len(bench.http.calls)
    bench.handle(tts("another text", **second), message_id="message-2")
    assert (bench.causes(), len(bench.http.calls)) == (["idempotency_conflict"], calls)


def test_the_event_of_a_conflict_has_the_id_that_was_published() -> None:
    bench = Bench()
    bench.handle(tts("one text", **ORDERED))
    waited_for = {"metadata": {"order": 7}, "client": "studio-7", "reply_to": f"mediarelay-reply-{'0' * 32}"}
    bench.handle(tts("another text", **ORDERED, **waited_for), message_id="message-2")
    record = bench.world.jobs.get("message-2")
    assert record is not None
    event = result_event(record, lambda key: (key, key), 0.0)
    assert (event.status, event.request_id, event.job_id) == (JobStatus.REJECTED, "order-17", "message-2")
    assert event.model_dump(include={*waited_for, "message_id"}) == {**waited_for, "message_id": "message-2"}


def test_the_same_request_of_another_client_is_the_same_request() -> None:
    bench = Bench()
    bench.handle(tts(**ORDERED, client="studio-7", reply_to=f"mediarelay-reply-{'0' * 32}"))
    bench.handle(tts(**ORDERED, client="studio-8"), message_id="message-2")
    assert (len(bench.http.calls), bench.causes()) == (1, [])


def test_the_same_request_of_strategy_all_comes_twice_and_is_served_once() -> None:
    bench = Bench()
    for count in (1, 2):
        bench.handle(message(tts(**ALL), receive_count=count))
    assert (len(bench.http.calls), bench.causes()) == (2, [])
    group = bench.world.jobs.get("order-17")
    assert group is not None
    assert (group.status, group.branches) == (JobStatus.QUEUED, ["openai-tts", "elevenlabs-tts"])


def test_a_mended_request_of_strategy_all_keeps_its_id() -> None:
    bench = Bench()
    bench.handle({"kind": "tts", "request_id": "order-17", "input": {}})
    bench.handle(tts(**ALL), message_id="message-2")
    assert len(bench.http.calls) == 2


def stored(media: MemoryMedia, key: str, fingerprint: str | None) -> None:
    data = b"sound"
    facts = {"provider": "openai-tts", "model": "m", "key-id": "k", "cost-usd": "0.1", "index": "0", "outputs": "1"}
    output = Output(key=key, content_type="audio/mpeg", bytes=5, sha256=hashlib.sha256(data).hexdigest())
    media.put(output, io.BytesIO(data), {**facts, **({"fingerprint": fingerprint} if fingerprint else {})})


@pytest.mark.parametrize(
    ("key", "fingerprint", "found"),
    [
        ("tts/order-17/openai-tts-0.mp3", "mine", True),
        ("tts/order-17/openai-tts-0.mp3", None, True),
        ("tts/order-17/openai-tts-0.mp3", "another", False),
        ("tts/order-17/openai-tts/openai-tts-0.mp3", "mine", False),
    ],
)
def test_only_a_file_of_the_same_content_in_the_jobs_own_folder_is_adopted(
    key: str, fingerprint: str | None, *, found: bool
) -> None:
    media = MemoryMedia()
    stored(media, key, fingerprint)
    adopted = ResultStore(media, ManualClock()).find(Folder("tts/order-17/", "mine"))
    assert (adopted is not None) is found


def test_a_worker_that_takes_over_adopts_nothing_of_a_job_with_another_content() -> None:
    bench = Bench()
    given = message(tts("one text", **ORDERED))
    switch = KillSwitch(2)
    world = replace(bench.world, **{name: Mortal(getattr(bench.world, name), switch) for name in ("jobs", "http")})
    with pytest.raises(WorkerKilled):
        worker(world).handle(given, worker_ends_at=world.ends_at)
    received = bench.world.jobs.get("order-17")
    assert isinstance(received, JobRecord)
    assert isinstance(bench.world.media, MemoryMedia)
    stored(bench.world.media, "tts/2026/08/01/order-17/openai-tts/openai-tts-0.mp3", received.fingerprint)
    stored(bench.world.media, "tts/2026/08/01/order-17/elevenlabs-tts-0.mp3", "another")
    bench.clock.advance(180)
    bench.handle(replace(given, receive_count=2))
    record = bench.world.jobs.get("order-17")
    assert record is not None
    assert (record.status, record.provider, len(bench.http.calls)) == (JobStatus.SUCCEEDED, "openai-tts", 1)


# --- cancel -------------------------------------------------------------------------------------------------------

FAL: dict[str, Any] = {"request_id": "job-1", "providers": ["fal-kling"], "tenant": "acme"}


@pytest.mark.parametrize("wanted", [{"cancel": "job-1"}, {"cancel": "job-1", "tenant": "other"}])
def test_nobody_cancels_a_job_of_another_tenant(wanted: Any) -> None:
    bench = ClipBench()
    bench.publish(video(**FAL))
    bench.publish(wanted, message_id="message-2")
    assert not bench.record("acme!job-1").status.settled
    bench.publish({"cancel": "job-1", "tenant": "acme"}, message_id="message-3")
    assert bench.record("acme!job-1").status is JobStatus.FAILED


def test_a_cancel_that_races_an_acceptance_stops_the_clip_and_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the canceller's look at the record and its note, the vendor takes the job."""
    bench = ClipBench()
    bench.publish(video(**{**FAL, "providers": ["kling-video"], "tenant": None}))
    jobs: Any = bench.world.jobs
    note_cancel = jobs.note_cancel

    def late(request_id: str, at: int) -> bool:
        monkeypatch.setattr(jobs, "note_cancel", note_cancel)
        bench.execute_until("job-1", "Wait for the provider")
        return bool(note_cancel(request_id, at))

    monkeypatch.setattr(jobs, "note_cancel", late)
    bench.publish({"cancel": "job-1"}, message_id="message-2")
    record = bench.record("job-1")
    assert record.error is not None
    assert (record.error.code, record.cost_usd, record.cost_certain) == ("cancelled", pytest.approx(5 * 0.042), False)


def test_a_cancelled_job_sends_nothing_more_and_notes_nothing_more() -> None:
    bench = ClipBench()
    bench.publish(video(**{**FAL, "tenant": None}))
    jobs: Any = bench.world.jobs
    jobs.note_cancel("job-1", EPOCH_MS)
    bench.execute("job-1")
    assert (sum(bench.vendors.submits.values()), bench.record("job-1").submit) == (0, None)


def test_a_cancel_that_meets_a_fault_of_ours_still_ends_the_job_and_counts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = ClipBench()
    bench.publish(video(**{**FAL, "tenant": None}))
    bench.execute_until("job-1", "Wait for the provider")

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("mediarelay.long_jobs.vendor_client.VendorJobClient.cancel", broken)
    bench.publish({"cancel": "job-1"}, message_id="message-2")
    record = bench.record("job-1")
    assert record.error is not None
    assert (record.error.code, record.cost_usd > 0, record.cost_certain) == ("cancelled", True, False)
    assert isinstance(bench.world.queue, MemoryQueue)
    assert [parked.attributes["error_code"] for parked in bench.world.queue.dlq] == ["internal_error"]
