"""A Docker engine with an image for `sam local invoke`, or the reason why there is none."""

import os
import shutil
import subprocess

from tools.local.project import ROOT, SAM

# Beside a development checkout, not part of the project: it starts an engine and builds a stand-in for AWS's image.
STAND_IN = ROOT.parent / "shared" / "lambda-image" / "build"


def missing_engine() -> str | None:
    """Make one ready; None when it is, else why it is not."""
    if STAND_IN.exists():
        # At the end of PATH, so that the script's own `python3` stays the host's, which has pip.
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), str(SAM.parent)])
        return _failure([str(STAND_IN)], {**os.environ, "PATH": path})
    if shutil.which("docker") is None:
        return "docker is not installed"
    return _failure(["docker", "info"], dict(os.environ))


def _failure(command: list[str], environment: dict[str, str]) -> str | None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return f"{command[0]} failed: {(done.stderr or done.stdout).strip()}" if done.returncode else None
