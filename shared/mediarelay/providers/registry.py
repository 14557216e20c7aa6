"""Every provider there is, by name, in the order they are tried when nothing else decides."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mediarelay.contracts.kinds import Kind
from mediarelay.providers.base import Provider
from mediarelay.providers.elevenlabs import ElevenLabsTts
from mediarelay.providers.fal import FalFlux
from mediarelay.providers.openai import OpenAiImage, OpenAiTts

_IN_ORDER: Final[tuple[Provider, ...]] = (OpenAiTts(), ElevenLabsTts(), OpenAiImage(), FalFlux())

PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType({provider.name: provider for provider in _IN_ORDER})


def by_kind(kind: Kind) -> tuple[Provider, ...]:
    """Those that make this kind, in order; empty when none does."""
    return tuple(provider for provider in _IN_ORDER if provider.kind is kind)


def by_name(name: str) -> Provider:
    """The provider of this name.

    Raises:
        LookupError: There is none; the message names those there are.
    """
    try:
        return PROVIDERS[name]
    except KeyError:
        raise LookupError(f"there is no provider {name}; there are {', '.join(PROVIDERS)}") from None
