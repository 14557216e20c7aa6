"""The vendors' code, imported when it is first asked for, and what their manifests amount to (`listing`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mediarelay.providers import listing
from mediarelay.providers.api import Capability, JobProvider, Provider
from mediarelay.providers.listing import AddedServers, ListedProvider, ListedVendor
from mediarelay.vocabulary.kinds import Kind

# Only for annotations: a manifest brings them.
if TYPE_CHECKING:
    from mediarelay.providers.probe import Probe
    from mediarelay.providers.vendor import Vendor

# In the order in which they are tried when nothing else decides. A new vendor is its folder and one line here.
NAMES: Final = (
    "openai",
    "elevenlabs",
    "gemini",
    "qwen",
    "assemblyai",
    "openrouter",
    "groq",
    "deepgram",
    "polly",
    "google",
    "kling",
    "fal",
    "replicate",
)
Found = TypeVar("Found")


def manifest(name: str) -> Vendor:
    """Return the manifest of one of `NAMES`; its code is imported."""
    found: Vendor = import_module(f"mediarelay.providers.{name}").VENDOR
    return found


def listed(vendor: Vendor) -> ListedVendor:
    """Return what is known of a vendor without its code."""
    return ListedVendor(
        name=vendor.name,
        credentials=vendor.credentials,
        base_urls=dict(vendor.base_urls),
        has_probe=vendor.probe is not None,
        healthy_seconds=dict(vendor.healthy_seconds),
        providers=tuple(
            ListedProvider(each.name, each.vendor, each.host, each.kind, isinstance(each, JobProvider))
            for each in vendor.providers
        ),
    )


def index(vendors: Iterable[Vendor]) -> str:
    """Return what `index.json` is to hold."""
    return json.dumps([asdict(listed(vendor)) for vendor in vendors], indent=1) + "\n"


class _WhenAsked(Mapping[str, Found]):
    """Some names, and what each stands for once it is asked for."""

    def __init__(self, names: Iterable[str], find: Callable[[str], Any]) -> None:
        self._names = dict.fromkeys(names)
        self._find = find

    def __getitem__(self, name: str) -> Found:
        if name not in self._names:
            raise KeyError(name)
        found: Found = self._find(name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._names  # a mapping's own way is to find it, which imports

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


@cache
def _providers_of(vendor: str) -> Mapping[str, Capability]:
    return {provider.name: provider for provider in manifest(vendor).providers}


@cache
def _provider(name: str) -> Capability:
    return _providers_of(listing.providers()[name].vendor)[name]


def _probe(vendor: str) -> Probe | None:
    return manifest(vendor).probe


_LISTED: Final = listing.providers().values()
VENDORS: Final[Mapping[str, Vendor]] = _WhenAsked(listing.vendors(), manifest)
ALL_PROVIDERS: Final[Mapping[str, Capability]] = _WhenAsked(listing.providers(), _provider)
# Those that deliver in the answer to the call itself, and those whose results have to be waited for.
PROVIDERS: Final[Mapping[str, Provider]] = _WhenAsked([each.name for each in _LISTED if not each.is_job], _provider)
JOB_PROVIDERS: Final[Mapping[str, JobProvider]] = _WhenAsked([each.name for each in _LISTED if each.is_job], _provider)
PROBES: Final[Mapping[str, Probe]] = _WhenAsked(
    [vendor.name for vendor in listing.vendors().values() if vendor.has_probe], _probe
)


def with_servers(known: Mapping[str, Capability], added: AddedServers) -> Mapping[str, Capability]:
    """Return these providers, and those of the servers that the deployment adds."""
    if not added.providers:
        return known
    return _WhenAsked([*known, *added.providers], lambda name: added.providers.get(name) or known[name])


def by_kind(kind: Kind) -> tuple[Capability, ...]:
    """Return those that make this kind, in order; empty when none does."""
    return tuple(_provider(each.name) for each in _LISTED if each.kind is kind)


def by_name(name: str) -> Capability:
    """Return the provider of this name.

    Raises:
        LookupError: There is none; the message names those there are.
    """
    try:
        return ALL_PROVIDERS[name]
    except KeyError:
        raise LookupError(f"there is no provider {name}; there are {', '.join(ALL_PROVIDERS)}") from None
