"""`sam build` for a container of this processor, and `sam local invoke` in it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sam_local.engine import STAND_IN
from tools.local.environment import sam_environment
from tools.local.project import ROOT, SAM
from tools.local.stack import LocalStack

EVENTS = ROOT / "events" / "lambda"
# What a function's environment names in a deployed stack, by the output that says it.
OUTPUT_OF = {
    "JOBS_TABLE": "JobsTableName",
    "TELEMETRY_TABLE": "TelemetryTableName",
    "RESULTS_BUCKET": "ResultsBucketName",
    "REQUEST_QUEUE_URL": "RequestQueueUrl",
    "REQUEST_DLQ_URL": "RequestDlqUrl",
    "MEDIA_RESULTS_TOPIC_ARN": "MediaResultsTopicArn",
}


@dataclass(frozen=True)
class SamLocal:
    """The built functions, and what they are to talk to: AWS at `endpoint`, as a container sees the stack."""

    build: Path
    stack: LocalStack
    endpoint: str
    variables: Mapping[str, str]

    def invoke(self, function: str, event: str) -> dict[str, Any]:
        """Run one function in a container on one file of events/lambda; gives its answer."""
        options = [
            *("--event", str(EVENTS / f"{event}.json"), "--env-vars", str(self._variables_file())),
            *("--template-file", str(self.build / "template.yaml"), "--config-env", "invoke"),
            *("--parameter-overrides", "Architecture=x86_64", f"AwsEndpointUrl={self.endpoint}"),
            "--no-memory-limit",
            *(["--skip-pull-image"] if STAND_IN.exists() else []),
        ]
        done = run_sam(["local", "invoke", function, *options], self.stack.endpoint)
        sys.stderr.write(done.stderr)  # the function's log: pytest shows it when the test fails
        assert done.returncode == 0
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        assert "errorType" not in answer
        return answer

    def _variables_file(self) -> Path:
        named = {variable: self.stack.outputs[output] for variable, output in OUTPUT_OF.items()}
        path = self.build / "variables.json"
        path.write_text(json.dumps({"Parameters": {**named, **self.variables}}), encoding="utf-8")
        return path


def build_for_container(folder: Path) -> Path:
    """`sam build` in the samconfig environment that is meant for it."""
    done = run_sam(["build", "--config-env", "invoke", "--build-dir", str(folder), "--no-cached"], "")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def run_sam(arguments: list[str], endpoint: str) -> subprocess.CompletedProcess[str]:
    """One SAM CLI command in the project's folder."""
    environment = {**sam_environment(endpoint), "PYTHONDONTWRITEBYTECODE": "1"}
    if not endpoint:
        environment.pop("AWS_ENDPOINT_URL")
    if docker := os.environ.get("DOCKER_HOST"):
        environment["DOCKER_HOST"] = docker
    return subprocess.run(  # noqa: S603  (the SAM CLI with arguments of ours)
        [str(SAM), *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
