"""What is deployed locally, and with which parameters by default."""

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from mediarelay.providers.listing import base_url_variables
from tools.local.project import TEMPLATE

SECRET_NAME = "mediarelay/provider-keys"  # noqa: S105  (a name, not a secret)


def local_parameters() -> dict[str, str]:
    """Parameters for this host: MiniStack runs the functions on its own interpreter, which the layer must fit."""
    machine = platform.machine().lower()
    return {
        "Stage": "local",
        "Timing": "fast",
        "MaximumConcurrency": "2",
        "PictureConcurrency": "2",
        "OpenAiConcurrency": "4",
        "WaitConcurrency": "2",
        "Runtime": f"python3.{sys.version_info.minor}",
        "Architecture": "arm64" if machine in ("arm64", "aarch64") else "x86_64",
    }


def provider_parameters(urls: Mapping[str, str], replaced: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    """Returns parameters that point the stack at a simulator, from its environment variables.

    Args:
        urls: The simulator's addresses by variable.
        replaced: Addresses by name that are called in their place.
    """
    simulated = {host: urls[variable] for host, variable in base_url_variables().items() if variable in urls}
    parameters = {"ProviderBaseUrls": json.dumps({**simulated, **replaced})}
    return parameters | ({"FalJwksUrl": urls["FAL_JWKS_URL"]} if "FAL_JWKS_URL" in urls else {})


@dataclass(frozen=True)
class StackPlan:
    """A template and how it is deployed.

    Attributes:
        settings: Environment variables of MiniStack.
        built: An earlier build of the template, which is then deployed as it is.
    """

    template: Path = TEMPLATE
    stack_name: str = "mediarelay-local"
    parameters: Mapping[str, str] = field(default_factory=local_parameters)
    settings: Mapping[str, str] = field(default_factory=dict)
    built: Path | None = None
