"""The vendors, in the order in which they are tried when nothing else decides, and what their manifests amount to.

A new vendor is its folder and one line here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from mediarelay.providers import (
    assemblyai,
    elevenlabs,
    fal,
    gemini,
    groq,
    kling,
    openai,
    openrouter,
    polly,
    qwen,
    replicate,
)
from mediarelay.providers.api import Capability, JobProvider, Provider
from mediarelay.providers.credentials import region_in
from mediarelay.providers.probe import Probe
from mediarelay.providers.vendor import Vendor, base_url_variable
from mediarelay.vocabulary.kinds import Kind

_IN_ORDER: Final[tuple[Vendor, ...]] = (
    openai.VENDOR,
    elevenlabs.VENDOR,
    gemini.VENDOR,
    qwen.VENDOR,
    assemblyai.VENDOR,
    openrouter.VENDOR,
    groq.VENDOR,
    polly.VENDOR,
    kling.VENDOR,
    fal.VENDOR,
    replicate.VENDOR,
)

VENDORS: Final[Mapping[str, Vendor]] = MappingProxyType({vendor.name: vendor for vendor in _IN_ORDER})
ALL_PROVIDERS: Final[Mapping[str, Capability]] = MappingProxyType(
    {provider.name: provider for vendor in _IN_ORDER for provider in vendor.providers}
)
# Those that deliver in the answer to the call itself, and those whose results have to be waited for.
PROVIDERS: Final[Mapping[str, Provider]] = MappingProxyType(
    {name: provider for name, provider in ALL_PROVIDERS.items() if isinstance(provider, Provider)}
)
JOB_PROVIDERS: Final[Mapping[str, JobProvider]] = MappingProxyType(
    {name: provider for name, provider in ALL_PROVIDERS.items() if isinstance(provider, JobProvider)}
)
PROBES: Final[Mapping[str, Probe]] = MappingProxyType(
    {vendor.name: vendor.probe for vendor in _IN_ORDER if vendor.probe is not None}
)
HEALTHY_SECONDS: Final[Mapping[str, float]] = MappingProxyType(
    {name: seconds for vendor in _IN_ORDER for name, seconds in vendor.healthy_seconds.items()}
)


def by_kind(kind: Kind) -> tuple[Capability, ...]:
    """Returns those that make this kind, in order; empty when none does."""
    return tuple(provider for provider in ALL_PROVIDERS.values() if provider.kind is kind)


def by_name(name: str) -> Capability:
    """Returns the provider of this name.

    Raises:
        LookupError: There is none; the message names those there are.
    """
    try:
        return ALL_PROVIDERS[name]
    except KeyError:
        raise LookupError(f"there is no provider {name}; there are {', '.join(ALL_PROVIDERS)}") from None


def base_url_variables(vendors: Iterable[Vendor] = _IN_ORDER) -> dict[str, str]:
    """Returns the variable that overrides each address, by the address's name."""
    return {host: base_url_variable(host) for vendor in vendors for host in vendor.base_urls}


def base_urls(
    overrides: Mapping[str, str], environment: Mapping[str, str], vendors: Iterable[Vendor] = _IN_ORDER
) -> dict[str, str]:
    """Returns the address of every provider.

    Args:
        overrides: Addresses that replace the vendors' own, by name.
        environment: Where a single variable that is set, such as OPENAI_BASE_URL, counts before those, and whose region
            the addresses of AWS's own services are in.
        vendors: Whose.
    """
    region = region_in(environment)
    own = {host: url.replace("{region}", region) for vendor in vendors for host, url in vendor.base_urls.items()}
    chosen = {host: environment.get(base_url_variable(host)) or overrides.get(host) or url for host, url in own.items()}
    return {provider.name: chosen[provider.host] for vendor in vendors for provider in vendor.providers}
