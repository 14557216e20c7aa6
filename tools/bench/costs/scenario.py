"""A batch on the happy path through the real handlers, over AWS by moto and a provider that answers at once."""

from __future__ import annotations

import io
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from unittest.mock import patch

import responses
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from functions.announce_result import app as announce_app
from functions.dispatch_request import app as dispatch_app
from mediarelay.aws.system_clock import SystemClock
from tests.harness.local_aws import BUCKET, JOBS, REGION, TELEMETRY, LocalAws, jobs_table, local_aws
from tools.bench.costs.item_size import write_units
from tools.bench.costs.ledger import Ledger, counting
from tools.bench.instant_server import KEYS, SPEECH
from tools.bench.lambda_environment import ENVIRONMENT
from tools.bench.lambda_events import batch, context

OPENAI_SPEECH = "https://api.openai.com/v1/audio/speech"
_APPS: tuple[ModuleType, ...] = (dispatch_app, announce_app)


@dataclass(frozen=True)
class Batch:
    """What one batch took.

    Attributes:
        size: Its messages.
        first: The calls of a worker's first batch.
        calls: Those of the batch after that, which is what nearly all are like.
        write_units: Of that batch, in all tables.
        index_units: Of that batch, in the index by which jobs are listed.
        log_bytes: What both functions wrote of it, metrics included.
    """

    size: int
    first: Ledger
    calls: Ledger
    write_units: int
    index_units: int
    log_bytes: int


def run(size: int, *, budgets: Mapping[str, Any] | None = None) -> Batch:
    """Two batches, one after the other in the same worker and at the same moment; with these budgets, where given.

    Time stands still, so that what is remembered for a while is not read again because a machine is slow.
    """
    moment, first, calls = time.time(), Ledger(), Ledger()
    with logged() as lines, deployed(KEYS, budgets) as aws, patch.object(SystemClock, "now", lambda _clock: moment):
        _serve(aws, first, 0, size)
        before = len(lines.getvalue())
        jobs = _serve(aws, calls, size, size)
        log_bytes = len(lines.getvalue()) - before
    # A job's item only grows, so its last size bounds what each of its writes costs, in a batch or not.
    writes = calls.job_writes / size
    units = round(sum(map(write_units, jobs)) * writes) + calls.put_units
    # Both writes change what is listed: the claim puts it there, and the settlement changes its status.
    of_index = round(sum(write_units(_projected(job)) for job in jobs) * writes)
    return Batch(size, first, calls, units, of_index, log_bytes)


def _projected(item: dict[str, Any]) -> dict[str, Any]:
    (index,) = jobs_table()["GlobalSecondaryIndexes"]
    keys = {key["AttributeName"] for key in index["KeySchema"]} | {"request_id"}
    return {name: item[name] for name in keys | set(index["Projection"]["NonKeyAttributes"]) if name in item}


def _serve(aws: LocalAws, ledger: Ledger, first: int, size: int) -> list[dict[str, Any]]:
    """Dispatch and announce a batch; its jobs, as they ended."""
    event = batch(first, size)
    names = {json.loads(record["body"])["request_id"] for record in event["Records"]}
    with counting(ledger):
        _expect_no_failures(dispatch_app.handler(event, context()))
    jobs = [item for item in aws.items(JOBS) if item["request_id"]["S"] in names]
    with counting(ledger):
        _expect_no_failures(announce_app.handler({"Records": [_change(item) for item in jobs]}, context()))
    if [item["status"]["S"] for item in jobs] != ["succeeded"] * size:
        raise RuntimeError("not the happy path: nothing can be said about its cost")
    return jobs


def _change(item: dict[str, Any]) -> dict[str, Any]:
    change = {"NewImage": item, "SequenceNumber": "1"}
    return {"eventID": item["request_id"]["S"], "eventName": "MODIFY", "dynamodb": change}


def _expect_no_failures(answer: dict[str, Any]) -> None:
    if answer["batchItemFailures"]:
        raise RuntimeError(f"requests failed: {answer}")


@contextmanager
def quiet() -> Iterator[None]:
    """The functions log and report metrics on standard output, which here belongs to a table."""
    logging.disable(logging.INFO)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """What the functions write meanwhile, whatever level is set: log lines, and metrics as lines of their own."""
    lines, loggers = io.StringIO(), [logging.getLogger("mediarelay"), *(app.logger for app in _APPS)]
    handlers = {each for logger in loggers for each in logger.handlers if isinstance(each, logging.StreamHandler)}
    # A test that ran before may have wired other functions, each with a handler of its own: a line is one line.
    first = next(each for each in loggers[0].handlers if isinstance(each.formatter, LambdaPowertoolsFormatter))
    streams, level = [(each, each.stream) for each in handlers], loggers[0].level
    loggers[0].setLevel(logging.INFO)  # the program of the benches shows warnings only
    for handler, _ in streams:
        handler.setStream(lines if handler is first else io.StringIO())
    try:
        with redirect_stdout(lines):
            yield lines
    finally:
        loggers[0].setLevel(level)
        for handler, stream in streams:
            handler.setStream(stream)


@contextmanager
def deployed(keys: Mapping[str, Any], budgets: Mapping[str, Any] | None = None) -> Iterator[LocalAws]:
    """The account with these keys in its secret; the functions start afresh in it and are forgotten after it."""
    with (
        local_aws() as aws,
        responses.RequestsMock() as vendor,
        patch.dict(os.environ, _environment(aws, keys, budgets)),
    ):
        vendor.post(OPENAI_SPEECH, body=SPEECH, content_type="audio/mpeg")
        if not (aws.dynamodb and aws.s3):
            raise RuntimeError("moto made neither table nor bucket")
        for app in _APPS:
            app.service.cache_clear()
        try:
            yield aws
        finally:
            for app in _APPS:
                app.service.cache_clear()


def _environment(aws: LocalAws, keys: Mapping[str, Any], budgets: Mapping[str, Any] | None) -> dict[str, str]:
    if budgets is not None:
        aws.ssm.put_parameter(Name="/budgets", Type="String", Value=json.dumps(budgets))
    return {
        "BUDGETS_PARAMETER": "/budgets" if budgets is not None else "",
        **ENVIRONMENT,
        "AWS_DEFAULT_REGION": REGION,
        "JOBS_TABLE": JOBS,
        "TELEMETRY_TABLE": TELEMETRY,
        "RESULTS_BUCKET": BUCKET,
        "REQUEST_QUEUE_URL": aws.queue_url,
        "REQUEST_DLQ_URL": aws.dlq_url,
        "MEDIA_RESULTS_TOPIC_ARN": aws.topic_arn,
        "KEYS_SECRET_ID": _secret(aws, keys),
    }


def _secret(aws: LocalAws, keys: Mapping[str, Any]) -> str:
    return str(aws.secrets.create_secret(Name="keys", SecretString=json.dumps(keys))["Name"])
