"""Cold start: import and init of each function, beside a minimal handler that imports what it uses anyway.

Each sample is a fresh interpreter; ours and the reference take turns, and the least CPU time counts: whatever else the
machine does only adds to it. Once on this host, both sides with bytecode that the bench has them compile beforehand
(what happens to lie in __pycache__ moved the ratio by a third), and once in the Lambda image with the built layer, if
it is here: there nothing is compiled beforehand, as on AWS.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.bench.lambda_environment import ENVIRONMENT
from tools.bench.result import Measurement
from tools.local.project import ROOT
from tools.local.sam_local import invocation

SAMPLES = 9
SAMPLES_IN_IMAGE = 3  # a container takes its time to start
BAR = 1.25
IMAGE = "public.ecr.aws/lambda/python:3.13"
# Where AWS puts its SDK, and where a layer and a function are unpacked.
IMAGE_PATHS = ("/var/task", "/opt/python", "/var/runtime")

_TIMED = "import time; t = time.process_time(); {body}; print(1000 * (time.process_time() - t))"
_LOGGER = "from aws_lambda_powertools import Logger; Logger()"
_BATCH = f"import aws_lambda_powertools.utilities.batch; {_LOGGER}"
# With a model of one field, which each function has: the first one makes pydantic load what it builds models with.
_PYDANTIC = (
    "from pydantic import BaseModel; type('One', (BaseModel,), {'__module__': 'one', '__annotations__': {'x': str}})"
)
Interpreter = Callable[[str, str], list[str]]


@dataclass(frozen=True)
class Minimal:
    """The least that a function of this kind imports, and the clients that it makes."""

    imports: str
    clients: tuple[str, ...]

    @property
    def program(self) -> str:
        """As one line of Python."""
        return "; ".join([self.imports, *(f"boto3.client({name!r})" for name in self.clients)])


_PARAMETERS = "import aws_lambda_powertools.utilities.parameters"
_CALLING = f"import boto3, requests, jwt; {_PYDANTIC}; {_LOGGER}; {_PARAMETERS}"
_KEEPING = f"import boto3; {_PYDANTIC}; {_LOGGER}"
_TELLING = f"import boto3; {_PYDANTIC}; {_BATCH}"
_JOBS = Minimal(_CALLING, ("dynamodb", "dynamodb", "s3", "secretsmanager"))
_SPEAKING = Minimal(_CALLING, ("dynamodb", *_JOBS.clients))  # the limits' as well
_SERVING = Minimal(_CALLING, (*_SPEAKING.clients, "sqs", "stepfunctions"))
MINIMAL = {
    "dispatch_request": _SERVING,
    "draw_picture": _SERVING,
    "submit_job": _JOBS,
    "poll_job": _JOBS,
    "settle_job": _JOBS,
    "speak_part": _SPEAKING,
    "steer_speech": _JOBS,
    "announce_result": Minimal(_TELLING, ("s3", "sns")),
    "aggregate_health": Minimal(_KEEPING, ("dynamodb",)),
    "count_usage": Minimal(_KEEPING, ("dynamodb",)),
    "deliver_callback": Minimal(
        f"import boto3, requests; {_PYDANTIC}; {_LOGGER}; {_PARAMETERS}", ("dynamodb", "secretsmanager", "sqs")
    ),
    "forward_events": Minimal(f"import boto3; {_PYDANTIC}; {_LOGGER}", ("sqs",)),
    "alert_operators": Minimal(_TELLING, ("dynamodb", "sns", "sqs")),
    "probe_providers": Minimal(_CALLING, ("dynamodb", "dynamodb", "secretsmanager")),
    "serve_api": Minimal(f"{_KEEPING}; import aws_lambda_powertools.event_handler", ("dynamodb", "s3")),
    "answer_openai": Minimal(f"{_KEEPING}; {_PARAMETERS}", ("dynamodb", "s3", "secretsmanager")),
    "wait_for_job": Minimal(_KEEPING, ("dynamodb", "s3")),
    "authorize_request": Minimal(f"{_KEEPING}; {_PARAMETERS}", ("secretsmanager",)),
    "receive_webhook": Minimal(
        f"import boto3, requests, nacl.signing; {_PYDANTIC}; {_LOGGER}", ("dynamodb", "stepfunctions")
    ),
}


def measure() -> Iterator[Measurement]:
    """One measurement per function, on this host."""
    with tempfile.TemporaryDirectory(prefix="bytecode-") as bytecode:
        for function in sorted(MINIMAL):
            program = f"import functions.{function}.app"
            yield _measured(function, "cold-start", program, _on_host(Path(bytecode)), SAMPLES)


def measure_in_image() -> Iterator[Measurement]:
    """One measurement per function, in the Lambda image; none where it is not here."""
    if not image_is_here():
        return
    invocation.build()
    for function in sorted(MINIMAL):
        yield _measured(function, "cold-start-in-image", "import app", _in_image, SAMPLES_IN_IMAGE)


def image_is_here() -> bool:
    """Whether a Docker engine answers and has the image; nothing is pulled for a benchmark."""
    if shutil.which("docker") is None:
        return False
    look = ["docker", "image", "inspect", IMAGE]
    return subprocess.run(look, capture_output=True, check=False).returncode == 0  # noqa: S603 # a fixed command


def _measured(function: str, name: str, program: str, interpreter: Interpreter, samples: int) -> Measurement:
    ours_timed, reference_timed = (_TIMED.format(body=body) for body in (program, MINIMAL[function].program))
    ours, reference = [], []
    for _ in range(1 + samples):  # the first fills the caches, and is never the least
        ours.append(_milliseconds(interpreter(function, ours_timed)))
        reference.append(_milliseconds(interpreter(function, reference_timed)))
    return Measurement(
        name=f"{name}-{function.replace('_', '-')}",
        value=min(ours),
        unit="ms CPU",
        reference="a minimal handler with the same libraries and clients",
        reference_value=min(reference),
        bar=BAR,
    )


def _on_host(bytecode: Path) -> Interpreter:
    def command(_function: str, program: str) -> list[str]:
        return [sys.executable, "-X", f"pycache_prefix={bytecode}", "-c", program]

    return command


def _in_image(function: str, program: str) -> list[str]:
    volumes = {ROOT / "functions" / function: "/var/task", invocation.BUILD / "SharedLayer": "/opt"}
    mounts = [f"--volume={source}:{target}:ro" for source, target in volumes.items()]
    variables = [f"--env={name}={value}" for name, value in ENVIRONMENT.items()]
    paths = f"--env=PYTHONPATH={os.pathsep.join(IMAGE_PATHS)}"
    run = ["docker", "run", "--rm", "--network=none", "--entrypoint=python3"]
    return [*run, *mounts, *variables, paths, IMAGE, "-c", program]


def _milliseconds(command: list[str]) -> float:
    environment = {**ENVIRONMENT, "PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT / 'shared'}{os.pathsep}{ROOT}"}
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 # ours
    return float(run.stdout.split()[-1])
