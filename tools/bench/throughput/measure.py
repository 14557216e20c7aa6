"""Three stacks on one local AWS, each given the same messages in turns: ours, and two references.

One does nothing. The other makes the same calls to AWS and to the provider, and nothing around them.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tools.bench.instant_server import KEYS, instant_server
from tools.bench.result import Measurement
from tools.local.deploy import Deployment, stack_outputs
from tools.local.plan import StackPlan, local_parameters
from tools.local.stack import LocalStack, silent

ROUNDS = 5
MESSAGES = 200
WARM_UP = 40
BAR = 0.5
POLL_SECONDS = 0.05
MAX_WAIT_SECONDS = 60.0
HERE = Path(__file__).parent


class TooSlow(Exception):
    """A queue did not empty in time; the message holds how many were left."""


def measure() -> Iterator[Measurement]:
    """Messages per second from the first one sent to the last one deleted; the median of the rounds."""
    with ExitStack() as stack:
        workdir = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        url = stack.enter_context(instant_server())
        parameters = {
            "ProviderBaseUrls": json.dumps({"openai": url}),
            "EnabledProviders": "openai-tts",
            "LogLevel": "INFO",
        }
        local = stack.enter_context(LocalStack.start(workdir, parameters=parameters, secret=KEYS))
        queues = {
            "ours": local.outputs["RequestQueueUrl"],
            "do_nothing": _deploy(local, "do_nothing", {}, workdir),
            "same_calls": _deploy(local, "same_calls", {"ProviderUrl": url}, workdir),
        }
        sqs = local.client("sqs")
        for queue in queues.values():
            _messages_per_second(sqs, queue, "warm-up", WARM_UP)
        rounds = [{name: _round(sqs, queue, n) for name, queue in queues.items()} for n in range(ROUNDS)]
        _expect_all_served(local)
    rates = {name: statistics.median(rates[name] for rates in rounds) for name in queues}
    yield _measurement("throughput", rates["ours"], "a function that does nothing", rates["do_nothing"])
    same = "a function that makes the same calls and nothing else"
    yield _measurement("throughput-same-calls", rates["ours"], same, rates["same_calls"])


def _measurement(name: str, ours: float, reference: str, its: float) -> Measurement:
    words = f"{reference}, same stack, batches of ten"
    return Measurement(name, ours, "messages/s", words, its, BAR, more_is_better=True)


def _deploy(local: LocalStack, name: str, parameters: dict[str, str], workdir: Path) -> str:
    """Deploy a reference beside ours; the URL of its queue."""
    plan = StackPlan(template=HERE / name / "template.yaml", stack_name=name.replace("_", "-"))
    folder = workdir / name
    folder.mkdir()
    cloudformation = local.client("cloudformation")
    given = {"Runtime": local_parameters()["Runtime"], **parameters}
    Deployment(plan, local.endpoint, folder).run(given, cloudformation, silent)
    return stack_outputs(cloudformation, plan.stack_name)["QueueUrl"]


def _round(sqs: Any, queue: str, number: int) -> float:
    return _messages_per_second(sqs, queue, f"round-{number}", MESSAGES)


def _messages_per_second(sqs: Any, queue: str, name: str, count: int) -> float:
    started = time.monotonic()
    for first in range(0, count, 10):
        entries = [{"Id": str(n), "MessageBody": _request(f"{name}-{n}")} for n in range(first, first + 10)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    while left := _left(sqs, queue):
        if time.monotonic() - started > MAX_WAIT_SECONDS:
            raise TooSlow(f"{left} of {count} messages were still in {queue}")
        time.sleep(POLL_SECONDS)
    return count / (time.monotonic() - started)


def _left(sqs: Any, queue: str) -> int:
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=counts)["Attributes"]
    return sum(int(found[name]) for name in counts)


def _request(request_id: str) -> str:
    body = {"request_id": request_id, "kind": "tts", "input": {"text": f"a sentence to say, {request_id}"}}
    return json.dumps(body)


def _expect_all_served(local: LocalStack) -> None:
    """A queue is also empty when its messages were rejected; then there is no result."""
    pages = local.client("dynamodb").get_paginator("scan").paginate(TableName=local.outputs["JobsTableName"])
    statuses = [item["status"]["S"] for page in pages for item in page["Items"]]
    expected = WARM_UP + ROUNDS * MESSAGES
    if statuses != ["succeeded"] * expected:
        raise TooSlow(f"{statuses.count('succeeded')} of {expected} requests were served")
