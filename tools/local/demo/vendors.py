"""Who the demo calls: the simulator, or, when asked for, the real vendors with the keys in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import typer

from tools.simulator.client import SimulatorClient
from tools.simulator.process import SimulatorProcess

KEYS = {
    "OPENAI_API_KEYS": "sim-openai-key-1,sim-openai-key-2,sim-openai-key-3",
    "ELEVENLABS_API_KEYS": "sim-elevenlabs-key-1,sim-elevenlabs-key-3",
    "GEMINI_API_KEYS": "sim-gemini-key-1,sim-gemini-key-3",
    "FAL_KEYS": "sim-fal-key-1,sim-fal-key-3",
    "KLING_API_KEYS": "sim-kling-key-1,sim-kling-key-2,sim-kling-key-3",
    "REPLICATE_API_KEYS": "sim-replicate-key-1,sim-replicate-key-3",
}
_PARAMETERS = {
    "OpenAiBaseUrl": "OPENAI_BASE_URL",
    "ElevenLabsBaseUrl": "ELEVENLABS_BASE_URL",
    "GeminiBaseUrl": "GEMINI_BASE_URL",
    "FalBaseUrl": "FAL_BASE_URL",
    "FalQueueBaseUrl": "FAL_QUEUE_BASE_URL",
    "KlingBaseUrl": "KLING_BASE_URL",
    "ReplicateBaseUrl": "REPLICATE_BASE_URL",
}
_REAL = (
    *("OPENAI_API_KEYS", "OPENAI_API_KEY", "ELEVENLABS_API_KEYS", "ELEVENLABS_API_KEY"),
    *("GEMINI_API_KEYS", "GEMINI_API_KEY", "FAL_KEYS", "FAL_KEY"),
)


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
    parameters = {name: process.urls[variable] for name, variable in _PARAMETERS.items()}
    return Vendors("simulated vendors, no money spent", KEYS, parameters, process.client)


def real_vendors() -> Vendors:
    """The keys of the environment."""
    keys = {name: os.environ[name] for name in _REAL if os.environ.get(name)}
    missing = [
        vendor for vendor in ("OPENAI", "ELEVENLABS", "FAL") if not any(name.startswith(vendor) for name in keys)
    ]
    if missing:
        wanted = ", ".join(f"{name}_API_KEY" if name != "FAL" else "FAL_KEY" for name in missing)
        raise typer.BadParameter(f"set {wanted} (the plural forms work too)")
    return Vendors("REAL vendors, this costs money", keys)
