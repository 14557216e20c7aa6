"""Wiring that every function shares which calls providers: their addresses, and the keys.

Both take the servers of OpenAI's shape that the deployment adds.
"""

from __future__ import annotations

from collections.abc import Mapping

from mediarelay.aws import clients
from mediarelay.bootstrap.settings import environment
from mediarelay.keys.ports import KeySource
from mediarelay.keys.secrets_manager import EnvironmentKeys, SecretKeys
from mediarelay.providers.listing import AddedServers, base_url_variables, base_urls, vendors


def provider_addresses(written: str, added: AddedServers) -> Mapping[str, str]:
    """Return the base URL of every provider; *written* is PROVIDER_BASE_URLS. Raises `InvalidBaseUrls`."""
    replaced: Mapping[str, str] = {}
    if written.strip():
        from mediarelay.providers.parsing import parse_base_urls  # noqa: PLC0415 # few deployments replace any

        replaced = parse_base_urls(written, base_url_variables(added.vendors))
    return base_urls(replaced, environment(), (*vendors().values(), *added.vendors))


def key_source(secret_id: str, added: AddedServers) -> KeySource:
    """Return the secret as the source, or without one the environment."""
    if secret_id:
        return SecretKeys(clients.client("secretsmanager"), secret_id, fallback=environment(), added=added)
    return EnvironmentKeys(environment(), added)
