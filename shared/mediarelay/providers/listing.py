"""What is known of each vendor without its code: enough to read keys, find addresses and choose by kind.

`index.json` holds it, in the order in which vendors are tried when nothing else decides. It is made from the manifests
by `python -m tools.provider_table write`, and a test compares the two. A vendor's code is imported when one of its
providers is first asked for (`registry`), so that a function pays for the vendors it calls and for no others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from mediarelay.providers.credentials import ApiKeys, Credentials, FunctionRole, region_in
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import Kind

# Only for annotations: who reads the list imports no code of a vendor.
if TYPE_CHECKING:
    from mediarelay.providers.api import Capability
    from mediarelay.providers.catalogue import Model

INDEX: Final = Path(__file__).with_name("index.json")


@frozen
class ListedProvider:
    """One capability; the attributes are its own."""

    name: str
    vendor: str
    host: str
    kind: Kind
    is_job: bool


@frozen
class ListedVendor:
    """One vendor; the attributes are its manifest's."""

    name: str
    credentials: Credentials
    base_urls: Mapping[str, str]
    has_probe: bool
    healthy_seconds: Mapping[str, float]
    providers: tuple[ListedProvider, ...]


@dataclass(frozen=True)
class AddedServers:
    """What a deployment adds to the list: servers of OpenAI's shape.

    Attributes:
        vendors: As they would be listed.
        providers: Their code, by name.
        models: By provider and id.
        voices: By provider, each with the fields of a vendor's `voices.json`.
        faults: What is wrong with the rest, by the server's name, or by that of the variable where it can't be told.
    """

    vendors: tuple[ListedVendor, ...] = ()
    providers: Mapping[str, Capability] = field(default_factory=dict)
    models: Mapping[str, Mapping[str, Model]] = field(default_factory=dict)
    voices: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def listed(self) -> Mapping[str, ListedProvider]:
        """Every provider by name, as it would be listed."""
        return {each.name: each for vendor in self.vendors for each in vendor.providers}

    @property
    def credentials(self) -> Mapping[str, Credentials]:
        """By vendor."""
        return {vendor.name: vendor.credentials for vendor in self.vendors}


NONE_ADDED: Final = AddedServers()


@cache
def vendors() -> Mapping[str, ListedVendor]:
    """Return every vendor by name, in order."""
    return MappingProxyType({entry["name"]: _read(entry) for entry in json.loads(INDEX.read_bytes())})


@cache
def providers() -> Mapping[str, ListedProvider]:
    """Return every provider by name, in order."""
    return MappingProxyType({each.name: each for vendor in vendors().values() for each in vendor.providers})


def base_url_variable(host: str) -> str:
    """Return the variable that overrides one address: `fal-queue` has FAL_QUEUE_BASE_URL."""
    return f"{host.replace('-', '_').upper()}_BASE_URL"


def healthy_seconds() -> Mapping[str, float]:
    """Return the latency from which a provider is degraded, by provider or provider/phase."""
    return {name: seconds for vendor in vendors().values() for name, seconds in vendor.healthy_seconds.items()}


def base_url_variables(added: Iterable[ListedVendor] = ()) -> dict[str, str]:
    """Return the variable that overrides each address, by the address's name."""
    return {host: base_url_variable(host) for vendor in (*vendors().values(), *added) for host in vendor.base_urls}


def base_urls(
    overrides: Mapping[str, str], environment: Mapping[str, str], of: Iterable[ListedVendor] | None = None
) -> dict[str, str]:
    """Return the address of every provider.

    Args:
        overrides: Addresses that replace the vendors' own, by name.
        environment: Where a single variable that is set, such as OPENAI_BASE_URL, counts before those, and whose region
            the addresses of AWS's own services are in.
        of: Whose; all that are listed when absent.
    """
    chosen_from = tuple(vendors().values() if of is None else of)
    region = region_in(environment)
    own = {host: url.replace("{region}", region) for vendor in chosen_from for host, url in vendor.base_urls.items()}
    chosen = {host: environment.get(base_url_variable(host)) or overrides.get(host) or url for host, url in own.items()}
    return {provider.name: chosen[provider.host] for vendor in chosen_from for provider in vendor.providers}


def _read(entry: Mapping[str, Any]) -> ListedVendor:
    source = entry["credentials"]
    return ListedVendor(
        entry["name"],
        ApiKeys(source["plural"], tuple(source["singular"])) if "plural" in source else FunctionRole(**source),
        entry["base_urls"],
        entry["has_probe"],
        entry["healthy_seconds"],
        tuple(ListedProvider(**{**each, "kind": Kind(each["kind"])}) for each in entry["providers"]),
    )
