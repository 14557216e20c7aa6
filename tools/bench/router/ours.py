"""`python -m tools.bench.router.ours URL`: the dispatcher's own services; only the stores are in memory."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable

from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.logging import package_logger
from mediarelay.http.connections import RequestsHttp
from tests.builders.keys import keys
from tests.builders.requests import message, tts
from tests.doubles.jobs import MemoryJobs
from tests.doubles.keys import FixedKeys
from tests.harness.worker import World, worker
from tools.bench.router.bare import bare_calls
from tools.bench.router.cpu import report

MAX_WAIT_SECONDS = 60.0


def routed_calls(url: str) -> Callable[[int], None]:
    """Handles so many messages, from their JSON to their settled job."""
    package_logger()  # the log lines are part of the cost
    clock, jobs = SystemClock(), MemoryJobs()
    world = World(
        clock=clock,  # type: ignore[arg-type] # tests move theirs by hand; nobody moves this one
        http=RequestsHttp(clock, allow_plain_http=True),
        jobs=jobs,
        source=FixedKeys(keys(openai=5)),
        base_urls={"openai-tts": url},
    )
    service, numbers = worker(world), itertools.count()

    def calls(count: int) -> None:
        for number in itertools.islice(numbers, count):
            body = tts(f"text {number}", request_id=f"job-{number}", providers=["openai-tts"])
            now = clock.now()
            service.handle(message(body, sent_at=round(now * 1000)), worker_ends_at=now + MAX_WAIT_SECONDS)
            settled = jobs.get(f"job-{number}")
            if settled is None or settled.status.value != "succeeded":
                raise RuntimeError(f"job-{number} was not served: {settled}")

    return calls


if __name__ == "__main__":
    report(bare_calls(sys.argv[1]), routed_calls(sys.argv[1]))
