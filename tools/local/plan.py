"""What is deployed locally, and with which parameters by default."""

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.local.project import TEMPLATE

SECRET_NAME = "mediarelay/provider-keys"  # noqa: S105  (a name, not a secret)
PROVIDER_URLS = {
    "OPENAI_BASE_URL": "OpenAiBaseUrl",
    "ELEVENLABS_BASE_URL": "ElevenLabsBaseUrl",
    "GEMINI_BASE_URL": "GeminiBaseUrl",
    "FAL_BASE_URL": "FalBaseUrl",
    "FAL_QUEUE_BASE_URL": "FalQueueBaseUrl",
    "KLING_BASE_URL": "KlingBaseUrl",
    "REPLICATE_BASE_URL": "ReplicateBaseUrl",
    "FAL_JWKS_URL": "FalJwksUrl",
}


def local_parameters() -> dict[str, str]:
    """Parameters for this host: MiniStack runs the functions on its own interpreter, which the layer must fit."""
    machine = platform.machine().lower()
    return {
        "Stage": "local",
        "Timing": "fast",
        "MaximumConcurrency": "2",
        "Runtime": f"python3.{sys.version_info.minor}",
        "Architecture": "arm64" if machine in ("arm64", "aarch64") else "x86_64",
    }


def provider_parameters(urls: Mapping[str, str]) -> dict[str, str]:
    """Parameters that point the stack at a simulator, from its environment variables."""
    return {PROVIDER_URLS[name]: url for name, url in urls.items() if name in PROVIDER_URLS}


@dataclass(frozen=True)
class StackPlan:
    """A template and how it is deployed; `settings` are environment variables of MiniStack."""

    template: Path = TEMPLATE
    stack_name: str = "mediarelay-local"
    parameters: Mapping[str, str] = field(default_factory=local_parameters)
    settings: Mapping[str, str] = field(default_factory=dict)
