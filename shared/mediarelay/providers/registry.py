"""Every provider there is, by name, in the order they are tried when nothing else decides."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mediarelay.providers.api import Capability, Provider
from mediarelay.providers.elevenlabs.sounds import ElevenLabsAudio
from mediarelay.providers.elevenlabs.speech import ElevenLabsTts
from mediarelay.providers.fal.flux import FalFlux
from mediarelay.providers.fal.kling import FalKling
from mediarelay.providers.fal.stable_audio import FalStableAudio
from mediarelay.providers.gemini.speech import GeminiTts
from mediarelay.providers.jobs import JobProvider
from mediarelay.providers.kling.video import KlingVideo
from mediarelay.providers.openai.speech import OpenAiImage, OpenAiTts
from mediarelay.providers.replicate.video import ReplicateVideo
from mediarelay.vocabulary.kinds import Kind

_IN_ORDER: Final[tuple[Provider, ...]] = (
    *(OpenAiTts(), ElevenLabsTts(), GeminiTts()),
    *(OpenAiImage(), FalFlux()),
    ElevenLabsAudio(),
)
_JOBS_IN_ORDER: Final[tuple[JobProvider, ...]] = (KlingVideo(), FalKling(), ReplicateVideo(), FalStableAudio())

# Those that deliver in the answer to the call itself, and those whose results have to be waited for.
PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType({provider.name: provider for provider in _IN_ORDER})
JOB_PROVIDERS: Final[Mapping[str, JobProvider]] = MappingProxyType({each.name: each for each in _JOBS_IN_ORDER})
ALL_PROVIDERS: Final[Mapping[str, Capability]] = MappingProxyType({**PROVIDERS, **JOB_PROVIDERS})


def by_kind(kind: Kind) -> tuple[Capability, ...]:
    """Those that make this kind, in order; empty when none does."""
    return tuple(provider for provider in ALL_PROVIDERS.values() if provider.kind is kind)


def by_name(name: str) -> Capability:
    """The provider of this name.

    Raises:
        LookupError: There is none; the message names those there are.
    """
    try:
        return ALL_PROVIDERS[name]
    except KeyError:
        raise LookupError(f"there is no provider {name}; there are {', '.join(ALL_PROVIDERS)}") from None
