"""Environment variables: a clean set for MiniStack, and credentials for its clients."""

import os
from collections.abc import Mapping
from pathlib import Path

from tools.localaws.ports import LOOPBACK

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


def _inherited(*names: str) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
