"""The environment of a deployed function, with names that lead nowhere, and processes that have it."""

import json
import os
import subprocess
import sys
from typing import Any, Final

from tools.local.project import ROOT

ENVIRONMENT: Final = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_LAMBDA_FUNCTION_NAME": "bench",
    "PYDANTIC_DISABLE_PLUGINS": "__all__",
    "JOBS_TABLE": "jobs",
    "TELEMETRY_TABLE": "telemetry",
    "USAGE_TABLE": "usage",
    "RESULTS_BUCKET": "results",
    "REQUEST_QUEUE_URL": "http://127.0.0.1:9/queue",
    "REQUEST_DLQ_URL": "http://127.0.0.1:9/dlq",
    "LOST_REQUESTS_URL": "http://127.0.0.1:9/lost",
    "KEYS_SECRET_ID": "keys",
    "MEDIA_JOB_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:jobs",
    "LONG_SPEECH_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:speeches",
    "PROVIDER_ALERTS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:alerts",
    "TOKENS_SECRET_ID": "tokens",
    "CALLBACK_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/callbacks",
    "CALLBACK_SECRETS_ID": "callback-secrets",
    "EVENTS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/events",
    "EVENTS_DLQ_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/events-dlq",
    "FAL_JWKS_URL": "http://127.0.0.1:9/jwks",
    "MEDIA_RESULTS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:results",
}


def printed_by(module: str, *arguments: str, url: str, **variables: str) -> Any:
    """Run a module of ours in such an environment, with that server for AWS and the vendors.

    Returns what it printed as its last line, read as JSON.
    """
    environment = {
        **ENVIRONMENT,
        "PATH": os.defpath,
        "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}",
        "STAGE": "local",
        "AWS_ENDPOINT_URL": url,
        "OPENAI_BASE_URL": url,
        **variables,
    }
    command = [sys.executable, "-m", module, *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 # ours
    return json.loads(run.stdout.splitlines()[-1])
