"""The two linters, as a developer would run them."""

import os
import subprocess
from pathlib import Path

from tests.harness.template import ROOT

VENVS = ROOT / ".venvs"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  (our own tools)


def test_cfn_lint_finds_nothing() -> None:
    outcome = run(VENVS / "dev" / "bin" / "cfn-lint", "template.yaml")

    assert (outcome.returncode, outcome.stdout) == (0, ""), outcome.stderr


def test_sam_calls_the_template_valid() -> None:
    outcome = run(VENVS / "sam" / "bin" / "sam", "validate", "--lint")

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "is a valid SAM Template" in outcome.stdout
