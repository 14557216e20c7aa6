"""Who the demo calls: the simulator, or, when asked for, the real vendors with the keys in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import typer

from mediarelay.providers.credentials import OFF, ON, ApiKeys, Credentials
from mediarelay.providers.registry import VENDORS, by_kind
from mediarelay.vocabulary.kinds import Kind
from tools.local.plan import provider_parameters
from tools.local.simulator import simulator_keys
from tools.simulator.client import SimulatorClient
from tools.simulator.process import SimulatorProcess


@dataclass(frozen=True)
class Vendors:
    """Keys, where to send the calls, and the simulator when there is one."""

    description: str
    keys: Mapping[str, str] = field(repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict)
    simulator: SimulatorClient | None = None


def simulated_vendors(stack: ExitStack) -> Vendors:
    """Start the simulator; it ends with *stack*."""
    process = stack.enter_context(SimulatorProcess())
    return Vendors(
        "simulated vendors, no money spent", simulator_keys(), provider_parameters(process.urls), process.client
    )


def real_vendors() -> Vendors:
    """Returns the keys of the environment, which must be enough for speech and for pictures."""
    keys: dict[str, str] = {}
    for vendor in VENDORS.values():
        keys |= _held(vendor.credentials)
    for kind in (Kind.TTS, Kind.IMAGE):
        variables = [name for provider in by_kind(kind) for name in VENDORS[provider.vendor].credentials.variables]
        if not keys.keys() & set(variables):
            raise typer.BadParameter(f"{kind} has no key: set one of {', '.join(variables)}")
    return Vendors("REAL vendors, this costs money", keys)


def _held(source: Credentials) -> dict[str, str]:
    """What the environment has of them. The local functions' own roles are unknown to AWS, so ours stands for them."""
    held = {name: os.environ[name] for name in source.variables if os.environ.get(name)}
    if isinstance(source, ApiKeys):
        return held
    if source.credential({**held, source.allowed_by: ON}) is None:
        return {source.allowed_by: OFF}
    return {**dict.fromkeys(source.variables, ""), **held, source.allowed_by: ON}
