"""Messages for many large answers: each waits for room or comes again, and what can't fit is not bought."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings

from mediarelay.http import spooled_json
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.requests import image, message
from tests.doubles.scripted_http import MEDIA, document
from tests.harness.bench import Bench
from tests.harness.worker import worker
from tools.bench.memory import pictures

WORKER_MEGABYTES = 460
# Ten pictures of ten megabytes each in `make test-all`, smaller ones in `make test`.
THOROUGH = settings.default.max_examples > 100
BYTES_EACH = 10_000_000 if THOROUGH else 2_500_000
PICTURE = base64.b64encode(MEDIA["png"].ljust(30_000, b"\0")).decode()


def test_ten_messages_of_ten_large_pictures_fit_into_a_worker() -> None:
    """Through the real client and the shipped handler, in a process of its own. Each was held whole, several times."""
    got = pictures(10, 10, BYTES_EACH)
    assert got.peak_megabytes < WORKER_MEGABYTES
    assert (got.calls, got.stored) == (10, [BYTES_EACH] * 100)


def test_on_a_disk_for_one_of_them_they_come_one_after_the_other() -> None:
    """Each brings more than was expected of it, and more than is left beside the others."""
    got = pictures(3, 3, 5_000_000, DISK_MEGABYTES="64")
    assert (got.calls, got.stored) == (3, [5_000_000] * 9)


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.world.variables = {"DISK_MEGABYTES": "64"}
    return made


def asked(n: int, size: str = "1024x1024", **fields: Any) -> dict[str, Any]:
    return image("a lighthouse", input={"n": n, "size": size}, providers=["openai-image"], **fields)


def drawn(n: int) -> Any:
    return document(200, {"data": [{"b64_json": PICTURE} for _ in range(n)]}, paid=True)


def test_what_can_never_fit_is_refused_before_it_is_bought(bench: Bench) -> None:
    record = bench.served(asked(10, request_id="large"))
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.REJECTED, "no_provider")
    assert record.error.message == (
        "input.n, input.size: openai-image may answer with 47 MB, and a worker holds 33 MB at once; ask for less"
    )
    assert (bench.http.calls, bench.causes()) == ([], ["no_provider"])


def test_who_could_answer_with_less_is_asked(bench: Bench) -> None:
    request = image("a lighthouse", input={"n": 1, "size": "auto"}, providers=["openai-image", "fal-flux"])
    bench.http.always("fal", document(503, {}))
    record = bench.served(request)
    assert {attempt.provider for attempt in record.attempts} == {"fal-flux"}


def test_a_message_that_finds_no_room_comes_again_and_is_bought_then(bench: Bench) -> None:
    bench.http.always("openai", drawn(4))
    service = worker(bench.world)
    room = service._server._runner.room
    other = room.take(room.most, until=0.0, ends_at=0.0)
    assert other is not None
    service.handle(message(asked(4, request_id="later")), worker_ends_at=bench.world.ends_at)
    (deferred,) = bench.queue.delayed
    assert bench.http.calls == []
    other.release()
    again = replace(deferred.message, receive_count=1)
    service.handle(again, worker_ends_at=bench.world.ends_at)
    record = bench.world.jobs.get("later")
    assert record is not None
    assert (record.status, len(bench.http.calls)) == (JobStatus.SUCCEEDED, 1)
    assert room._taken == 0


def test_a_full_disk_is_no_internal_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer was paid for, and is lost: it counts with its estimate, and nobody buys it again unasked."""

    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spooled_json, "TemporaryFile", full)
    bench.http.always("openai", drawn(1))
    record = bench.served(asked(1, request_id="lost"))
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.FAILED, "ambiguous_submit")
    assert (record.cost_certain, len(bench.http.calls)) == (False, 1)
    assert record.cost_usd > 0


def test_pictures_that_came_by_way_of_files_are_stored_as_they_are(bench: Bench) -> None:
    bench.http.always("openai", drawn(2))
    record = bench.served(asked(2, request_id="two"))
    assert record.status is JobStatus.SUCCEEDED
    assert [file.bytes for file in record.outputs] == [30_000] * 2
    stored: Any = bench.world.media
    assert set(stored.files.values()) == {base64.b64decode(PICTURE)}
    assert json.loads(record.model_dump_json())["outputs"]
