"""A steady stream of speech requests."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from mediarelay.alerts.sqs import queued

# What every provider of speech delivers.
FORMAT: Final = "wav"


@contextmanager
def steady_requests(
    sqs: Any, queue_url: str, name: str, *, per_second: float, providers: Sequence[str], at_most: float = math.inf
) -> Iterator[list[str]]:
    """Publish one after the other at that rate while the block runs; gives the ids published so far.

    While more than *at_most* requests wait for a worker, none is published: a busy machine is not buried.
    """
    ids: list[str] = []
    stop = threading.Event()

    def publish() -> None:
        due = time.monotonic()
        while not stop.is_set():
            if at_most == math.inf or queued(sqs, queue_url) <= at_most:
                wanted = f"{name}-{len(ids)}"
                sqs.send_message(QueueUrl=queue_url, MessageBody=_body(wanted, providers))
                ids.append(wanted)
            due += 1 / per_second
            stop.wait(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=publish, name="publisher")
    thread.start()
    try:
        yield ids
    finally:
        stop.set()
        thread.join()


def _body(request_id: str, providers: Sequence[str]) -> str:
    request = {
        "request_id": request_id,
        "kind": "tts",
        "input": {"text": f"said steadily, {request_id}", "format": FORMAT},
        "strategy": "ordered",
        "providers": list(providers),
    }
    return json.dumps(request)
