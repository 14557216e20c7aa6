"""Cold start: import and init of each function, beside a minimal handler that imports what it uses anyway.

Each sample is a fresh interpreter; ours and the reference take turns, and the median of the CPU time counts, so that a
noisy machine disturbs both alike.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator

from tools.bench.result import Measurement
from tools.local.project import ROOT

SAMPLES = 7
BAR = 1.25

_MEASURE = "import time; t = time.process_time(); {body}; print(1000 * (time.process_time() - t))"
_CLIENTS = {
    "dispatch_request": ("dynamodb", "dynamodb", "s3", "sqs", "stepfunctions", "secretsmanager"),
    "announce_result": ("s3", "sns"),
}
_LIBRARIES = {
    "dispatch_request": "import boto3, requests, pydantic, aws_lambda_powertools"
    ", aws_lambda_powertools.utilities.batch, aws_lambda_powertools.utilities.parameters"
    ", aws_lambda_powertools.metrics",
    "announce_result": "import boto3, pydantic, aws_lambda_powertools, aws_lambda_powertools.utilities.batch",
}
_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "JOBS_TABLE": "jobs",
    "TELEMETRY_TABLE": "telemetry",
    "RESULTS_BUCKET": "results",
    "REQUEST_QUEUE_URL": "http://127.0.0.1:9/queue",
    "REQUEST_DLQ_URL": "http://127.0.0.1:9/dlq",
    "KEYS_SECRET_ID": "keys",
    "MEDIA_JOB_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:jobs",
    "MEDIA_RESULTS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:results",
}


def measure() -> Iterator[Measurement]:
    """One measurement per function."""
    for function in sorted(_CLIENTS):
        ours, reference = [], []
        for _ in range(SAMPLES):
            ours.append(_milliseconds(f"import functions.{function}.app"))
            reference.append(_milliseconds(_minimal(function)))
        yield Measurement(
            name=f"cold-start-{function.replace('_', '-')}",
            value=statistics.median(ours),
            unit="ms CPU",
            reference="the same libraries and clients, imported and made by a minimal handler",
            reference_value=statistics.median(reference),
            bar=BAR,
        )


def _minimal(function: str) -> str:
    clients = "; ".join(f"boto3.client({name!r})" for name in _CLIENTS[function])
    return f"{_LIBRARIES[function]}; {clients}"


def _milliseconds(body: str) -> float:
    environment = {**_ENVIRONMENT, "PATH": os.defpath, "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}"}
    run = subprocess.run(  # noqa: S603 # our own interpreter and code
        [sys.executable, "-c", _MEASURE.format(body=body)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(run.stdout.split()[-1])
