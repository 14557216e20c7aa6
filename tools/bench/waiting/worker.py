"""`python -m tools.bench.waiting.worker busy|lone APP ARGUMENT…`: one worker around the shipped handler, as JSON.

`busy APP SECONDS PICTURES`: one invocation of a function with that timeout, which is given ten messages, of which that
part is for pictures, and finds more in its queue. `lone APP KIND`: messages that come alone, served by turns as now and
as before messages were taken, by Powertools' processor.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import Any, Final

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from mediarelay.dispatch.dispatch import DispatchService
from mediarelay.dispatch.ports import QueueMessage
from tools.bench.lambda_events import asked, context, published

ROUNDS: Final = 60
WARM: Final = 10
GIVEN: Final = 10
QUEUES: Final = {"dispatch_request": "requests", "draw_picture": "pictures"}
# The middle of what an invocation does, without how it begins and how it ends.
STEADY: Final = (0.4, 0.9)


def main(mode: str, name: str, *arguments: str) -> None:
    """Measure, and print the result as the last line."""
    app = import_module(f"functions.{name}.app")
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what the handler prints
    app.handler({"Records": [_record(name, "warm-up", "tts")]}, context())
    result = (
        busy(app, name, float(arguments[0]), float(arguments[1])) if mode == "busy" else lone(app, name, *arguments)
    )
    os.write(out, (json.dumps(result) + "\n").encode())


def busy(app: Any, name: str, seconds: float, pictures: float) -> dict[str, float]:
    """Returns what one invocation came to."""
    served: list[tuple[float, float]] = []
    handle = DispatchService.handle

    def timed(self: DispatchService, message: QueueMessage, **how: Any) -> None:
        began = time.monotonic()
        try:
            handle(self, message, **how)
        finally:
            served.append((began, time.monotonic()))

    DispatchService.handle = timed  # type: ignore[method-assign] # only in this process
    kinds = ["image" if number < round(GIVEN * pictures) else "tts" for number in range(GIVEN)]
    records = [_record(name, f"given-{number}", kind) for number, kind in enumerate(kinds)]
    began, processor = time.monotonic(), time.process_time()
    answer = app.handler({"Records": records}, context(seconds))
    ended = time.monotonic()
    if answer["batchItemFailures"]:
        raise RuntimeError(f"requests failed: {answer}")
    last_began = max(start for start, _ in served)
    since, until = (began + part * (last_began - began) for part in STEADY)
    within = sum(max(0.0, min(end, until) - max(start, since)) for start, end in served)
    return {
        "wall": ended - began,
        "processor": time.process_time() - processor,
        "served": len(served),
        "used": sum(end - start for start, end in served),
        "steady_slots": within / (until - since),
        "steady_rate": sum(since <= end < until for _, end in served) / (until - since),
    }


def lone(app: Any, name: str, kind: str) -> dict[str, float]:
    """Returns the medians of a message that comes alone, in milliseconds: as served now, and as before."""
    now: list[float] = []
    before: list[float] = []
    as_before = _as_before(app)
    ways: tuple[tuple[list[float], Callable[[dict[str, Any]], Any]], ...] = (
        (now, partial(app.handler, context=context())),
        (before, as_before),
    )
    for number in range(ROUNDS + WARM):
        # By turns, and each first half of the time: whatever slows the machine slows both.
        for way, (times, serve) in enumerate(ways if number % 2 else reversed(ways)):
            event = {"Records": [_record(name, f"lone-{number}-{way}", kind)]}
            began = time.perf_counter()
            serve(event)
            if number >= WARM:
                times.append(1000 * (time.perf_counter() - began))
    return {"now": statistics.median(now), "before": statistics.median(before)}


def _as_before(app: Any) -> Callable[[dict[str, Any]], Any]:
    """The handler as it was when a batch was ten messages and nothing else."""
    threads = ThreadPoolExecutor(max_workers=GIVEN)
    service = app.service().service

    class Threaded(BatchProcessor):
        def process(self) -> list[Any]:
            return list(threads.map(self._process_record, self.records))

    processor = Threaded(event_type=EventType.SQS, raise_on_entire_batch_failure=False)

    def on_record(record: Any, ends_at: float) -> None:
        message = QueueMessage(
            message_id=record.message_id,
            receipt_handle=record.receipt_handle,
            body=record.body,
            sent_at=int(record.attributes.sent_timestamp),
            receive_count=int(record.attributes.approximate_receive_count or 1),
            attributes={key: each.string_value for key, each in record.message_attributes.items()},
            group=record.attributes.message_group_id,
            source=record.event_source_arn,
        )
        service.handle(message, worker_ends_at=ends_at)

    def handler(event: dict[str, Any], given: Any) -> dict[str, Any]:
        ends_at = time.time() + given.get_remaining_time_in_millis() / 1000 - 2.5
        service.begin_batch(len(event["Records"]))
        try:
            return dict(process_partial_response(event, partial(on_record, ends_at=ends_at), processor, given))
        finally:
            service.end_batch(worker_ends_at=ends_at + 2.5)

    logged = app.logger.inject_lambda_context(handler)
    return lambda event: logged(event, context())


def _record(name: str, number: str, kind: str) -> dict[str, Any]:
    record = published(number, asked(kind, number))
    return {**record, "eventSourceARN": f"arn:aws:sqs:us-east-1:000000000000:{QUEUES[name]}"}


if __name__ == "__main__":
    main(*sys.argv[1:])
