"""Environment variables: those of the SAM CLI, and the file a shell can source."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from tools.local.project import SAM, UV_FOLDER
from tools.localaws.environment import client_environment


def sam_environment(endpoint: str) -> dict[str, str]:
    """The caller's environment without its AWS settings, for the SAM CLI and the builds it starts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SAM_", "PYTHON"))}
    return {
        **kept,
        **client_environment(endpoint),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "PATH": os.pathsep.join([str(UV_FOLDER), str(SAM.parent), os.environ.get("PATH", os.defpath)]),
    }


def write_exports(path: Path, variables: Mapping[str, str]) -> None:
    """Write a file to be sourced by a shell, readable by its owner only."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(lines), encoding="utf-8")
