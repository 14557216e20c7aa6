"""Wiring that every function shares which calls providers: their addresses, and the keys."""

from __future__ import annotations

from collections.abc import Mapping

from mediarelay.aws import clients
from mediarelay.bootstrap.settings import environment
from mediarelay.keys.ports import KeySource
from mediarelay.keys.secrets_manager import EnvironmentKeys, SecretKeys
from mediarelay.providers.api import Capability


def base_urls(providers: Mapping[str, Capability]) -> Mapping[str, str]:
    """Of the providers whose address is not the vendor's own."""
    variables = environment()
    addresses = {name: variables.get(provider.base_url_variable, "") for name, provider in providers.items()}
    return {name: address for name, address in addresses.items() if address}


def key_source(secret_id: str) -> KeySource:
    """The secret, or without one the environment."""
    if secret_id:
        return SecretKeys(clients.client("secretsmanager"), secret_id, fallback=environment())
    return EnvironmentKeys(environment())
