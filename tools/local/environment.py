"""Environment variables: a clean set for MiniStack, credentials for its clients, and the file a shell can source."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from tools.local.ports import LOOPBACK
from tools.local.project import SAM, UV_FOLDER

REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
ACCOUNT_CONCURRENCY = 12


def server_environment(port: int, temporary: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """All that MiniStack gets; its Lambda workers inherit it, so nothing of the caller's may be in it."""
    return {
        **_inherited("PATH", "HOME"),
        "LANG": "C.UTF-8",
        "TMPDIR": str(temporary),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": LOOPBACK,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AUTH": "true",
        "LAMBDA_ACCOUNT_CONCURRENCY": str(ACCOUNT_CONCURRENCY),
        "LAMBDA_WARM_TTL_SECONDS": "120",
        "AWS_DEFAULT_REGION": REGION,
        **CREDENTIALS,
        **extra,
    }


def client_environment(endpoint: str) -> dict[str, str]:
    """What an AWS client needs to talk to the local AWS, and to nothing else."""
    return {"AWS_ENDPOINT_URL": endpoint, **CREDENTIALS, "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION}


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


def _inherited(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
