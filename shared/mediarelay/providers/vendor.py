"""A vendor's manifest: all that is true of the vendor rather than of one of its capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mediarelay.providers.api import Capability
from mediarelay.providers.credentials import Credentials
from mediarelay.providers.probe import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One vendor. Whatever lists vendors, their variables or their providers is derived from this.

    Attributes:
        name: Names its folder, its key pool, its simulator's module and its main address.
        credentials: Its keys' variables, or the function's own role.
        base_url: Its main address, without a slash at the end; `{region}` in it is where the function runs.
        other_base_urls: Further addresses by name, such as `fal-queue`; a capability says which of them is its `host`.
        providers: Its capabilities, in the order in which they are tried.
        probe: A free call that tells whether the API answers and the key is known; None where there is none.
        healthy_seconds: The latency from which a provider is degraded, by provider or provider/phase; the default
            fits speech. About twice what `models.json` calls typical of its slowest model, or of its jobs.
        notes: What a reader of the table of providers should know, by provider.
    """

    name: str
    credentials: Credentials
    base_url: str
    providers: tuple[Capability, ...]
    other_base_urls: Mapping[str, str] = field(default_factory=dict)
    probe: Probe | None = None
    healthy_seconds: Mapping[str, float] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    @property
    def base_urls(self) -> Mapping[str, str]:
        """Every address by name."""
        return {self.name: self.base_url, **self.other_base_urls}
