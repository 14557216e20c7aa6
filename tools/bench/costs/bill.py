"""Everything that AWS charges for a request, and for a stack that nobody asks for anything.

The calls, write units and log lines are those of the shipped handlers (`scenario`), the vendor's time is the
catalogue's, the transitions are those of the polling bench, prices are `tools.aws_facts`, and sizes the template's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from mediarelay.providers.catalogue import models
from tests.harness.template import load_template
from tools import aws_facts as aws
from tools.bench.costs.scenario import Batch, logged
from tools.bench.poll_schedule import TRANSITIONS_BESIDE, TRANSITIONS_PER_POLL, transitions_of
from tools.bench.streams import aggregation

THOUSAND: Final = 1000


def _typical(provider: str) -> float:
    return next(each.typical_seconds for each in models(provider).values() if each.default)


SPEECH_SECONDS: Final = _typical("openai-tts")
PICTURE_SECONDS: Final = _typical("openai-image")
# What an invocation takes beside the vendor: claims, settlement, upload; measured with the real handler at batch ten.
OWN_SECONDS: Final = 0.16
STREAM_SECONDS: Final = 0.05  # of an announcement or a count of one batch
STEP_SECONDS: Final = 0.5  # of a submit, a poll or a settlement: a vendor's short answer
# `platform.start` and `platform.report`, as the Lambda guide shows them (Working with Lambda function logs, JSON).
PLATFORM_BYTES: Final = 500
STATE_LOG_BYTES: Final = 700  # of a state that is entered, left and worked for, without execution data
HEALTH_LOOK_UNITS: Final = 1.5  # of reading all records, by the size of thirteen providers' (docs/scaling.md)
TRANSACTION: Final = (
    2  # units of a write in a transaction, for one outside (DynamoDB guide, "Managing complex workflows")
)
LOOKS: Final = 1  # of a batch: its messages are routed at once, by one look

WAITING: Final = "waiting for the vendor and serving"
INVOCATIONS: Final = "invocations"
QUEUE: Final = "receiving and deleting"
UPLOAD: Final = "S3 put"
WRITES: Final = "claim, settlement, metrics"
LISTING: Final = "the index by which jobs are listed"
NEWS: Final = "announcing"
HEALTH: Final = "counting, judging and looking at health"
USAGE: Final = "counting usage"
LOGS: Final = "logs"
STATES: Final = "state transitions"
STREAMS: Final = "reading the streams (free for Lambda)"
LINES: Final = (WAITING, INVOCATIONS, QUEUE, UPLOAD, WRITES, LISTING, NEWS, HEALTH, USAGE, LOGS, STATES, STREAMS)


@dataclass(frozen=True)
class Bill:
    """Dollars of a thousand requests: by line, and what traces would add at most."""

    lines: Mapping[str, float]
    traces: float

    @property
    def total(self) -> float:
        """All lines."""
        return sum(self.lines.values())


def of(batch: Batch, seconds: float) -> Bill:
    """Returns the bill of requests whose vendor takes so many seconds, in batches of that size, one batch a second."""
    batches = THOUSAND / batch.size
    health = _gigabytes("AggregateHealthFunction") * STREAM_SECONDS * aws.LAMBDA_GB_SECOND.value
    health += _units_of_a_count() * aws.WRITE_UNIT.value
    health += LOOKS * HEALTH_LOOK_UNITS * aws.READ_UNIT.value
    announced = _gigabytes("AnnounceResultFunction") * STREAM_SECONDS * aws.LAMBDA_GB_SECOND.value
    lines = {
        WAITING: batches * _gigabytes("DispatchRequestFunction") * (seconds + OWN_SECONDS) * aws.LAMBDA_GB_SECOND.value,
        INVOCATIONS: batches * 3 * aws.LAMBDA_INVOCATION.value,
        QUEUE: batches * 2 * aws.SQS_CALL.value,
        UPLOAD: batches * batch.calls.calls["s3:PutObject"] * aws.S3_PUT.value,
        WRITES: batches * batch.write_units * aws.WRITE_UNIT.value,
        LISTING: batches * batch.index_units * aws.WRITE_UNIT.value,
        NEWS: batches * (announced + batch.calls.calls["sns:PublishBatch"] * aws.SNS_PUBLISH.value),
        HEALTH: batches * health,
        USAGE: batches * _of_a_count_of_usage() / _window("CountUsageFunction"),
        LOGS: batches * (batch.log_bytes + 3 * PLATFORM_BYTES) * aws.LOG_BYTE.value,
        STATES: 0.0,
        STREAMS: batches * 2 * aws.STREAM_READ_BY_LAMBDA.value,
    }
    return Bill(lines, batches * 2 * aws.TRACE.value)


def of_a_clip(batch: Batch) -> Bill:
    """Returns the bill of clips at Kling: the requests come in batches of that size, and wait in Step Functions."""
    short = of(batch, 0.0)
    transitions = transitions_of("kling")
    steps = (transitions - TRANSITIONS_BESIDE) / TRANSITIONS_PER_POLL + 2  # polls, a submit, a settlement
    memory = _gigabytes("SubmitJobFunction")
    lines = {
        **short.lines,
        WAITING: short.lines[WAITING] + THOUSAND * steps * memory * STEP_SECONDS * aws.LAMBDA_GB_SECOND.value,
        INVOCATIONS: short.lines[INVOCATIONS] + THOUSAND * steps * aws.LAMBDA_INVOCATION.value,
        # Each step writes the record or the slots once, and the metrics of its call.
        WRITES: short.lines[WRITES] + THOUSAND * steps * 2 * aws.WRITE_UNIT.value,
        # A submit changes the status twice, and a poll nothing that is listed.
        LISTING: short.lines[LISTING] + THOUSAND * 2 * aws.WRITE_UNIT.value,
        LOGS: short.lines[LOGS]
        + THOUSAND
        * (steps * (PLATFORM_BYTES + batch.log_bytes / batch.size / 3) + transitions * STATE_LOG_BYTES)
        * aws.LOG_BYTE.value,
        STATES: THOUSAND * transitions * aws.TRANSITION.value,
    }
    return Bill(lines, short.traces + THOUSAND * aws.TRACE.value)


MINUTES_OF_A_MONTH: Final = 30 * 24 * 60
POLLERS: Final = 5  # that Lambda keeps at each queue whose maximum concurrency is set
EMPTY_RECEIVES_A_MINUTE: Final = 3  # each waits for twenty seconds
SWEEP_SECONDS: Final = 1.0
_OFF: Final = ("HasCallbacks", "HasEvents", "HasFalWebhooks")  # not deployed unless asked for
# A look at each provider's record and buckets, at the verdicts and pools of each vendor, and at the overrides.
SWEEP_READS: Final = 60
SWEEP_WRITES: Final = 2  # what keeps the alerts warm, and the pools now and then
# The series of one provider that is in use: calls delivered and throttled. Each further phase and outcome is one more.
SERIES: Final = 2


def idle() -> dict[str, float]:
    """Returns dollars a month, by what they are for, of a stack with one alarm e-mail and one vendor in use before."""
    template = _template()
    sweep = _gigabytes("ProbeProvidersFunction") * SWEEP_SECONDS * aws.LAMBDA_GB_SECOND.value
    sweep += 2 * aws.LAMBDA_INVOCATION.value  # the alert function is kept warm by it
    sweep += SWEEP_READS * aws.READ_UNIT.value + SWEEP_WRITES * aws.WRITE_UNIT.value
    sweep += 2 * PLATFORM_BYTES * aws.LOG_BYTE.value + aws.SECRET_READ.value
    alarms = sum(
        each["Type"] == "AWS::CloudWatch::Alarm" and each.get("Condition") not in _OFF
        for each in template["Resources"].values()
    )
    return {
        "dashboard": aws.DASHBOARD_MONTH.value,
        f"{alarms} alarms": alarms * aws.ALARM_MONTH.value,
        "two secrets": 2 * aws.SECRET_MONTH.value,
        "the topics' key": aws.KEY_MONTH.value,
        "empty receives": _queues() * POLLERS * EMPTY_RECEIVES_A_MINUTE * MINUTES_OF_A_MONTH * aws.SQS_CALL.value,
        "the sweep of every minute": MINUTES_OF_A_MONTH * sweep,
        f"{SERIES} series of metrics for each provider in use, here one": SERIES * aws.METRIC_MONTH.value,
    }


def _queues() -> int:
    """Returns at how many queues Lambda polls."""
    deployed = [each for each in _template()["Resources"].values() if each.get("Condition") not in _OFF]
    functions = [each["Properties"] for each in deployed if each["Type"] == "AWS::Serverless::Function"]
    return sum(event["Type"] == "SQS" for each in functions for event in each.get("Events", {}).values())


def _of_a_count_of_usage() -> float:
    """Of one tenant's jobs at one provider: what was counted is read, and noted with the total in one transaction."""
    function = _gigabytes("CountUsageFunction") * STREAM_SECONDS * aws.LAMBDA_GB_SECOND.value
    written = 2 * aws.WRITE_UNIT.value * TRANSACTION  # the total, and how far it goes
    logged_bytes = PLATFORM_BYTES * aws.LOG_BYTE.value
    return float(function + aws.LAMBDA_INVOCATION.value + aws.READ_UNIT.value + written + logged_bytes)


def _window(function: str) -> float:
    """Seconds for which the first record of a stream waits for others: at a batch a second, as many batches."""
    (source,) = _template()["Resources"][function]["Properties"]["Events"].values()
    return float(source["Properties"]["MaximumBatchingWindowInSeconds"])


@cache
def _template() -> dict[str, Any]:
    return load_template()


def _gigabytes(function: str) -> float:
    return float(_template()["Resources"][function]["Properties"]["MemorySize"]) / 1024


@cache
def _units_of_a_count() -> int:
    with logged():  # a first verdict is a line of the log
        return aggregation.written(aggregation.FEW).units
