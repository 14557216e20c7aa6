"""EventBridge Scheduler -> once a minute: judge, probe and re-check what no traffic tells of."""

from __future__ import annotations

import functools
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.probes import ProbeSettings, build_probes
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.health.probe_sweep import ProbeService

logger = package_logger()


@functools.cache
def service() -> ProbeService:
    """One per worker."""
    return build_probes(ProbeSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 # Lambda's signature
    """Entry point."""
    service().sweep()


if inside_lambda():
    service()
