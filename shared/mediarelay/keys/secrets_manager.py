"""Where the keys come from: one Secrets Manager secret, or the environment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError, TransformParameterError

from mediarelay.keys.parsing import CREDENTIALS, ApiKey, InvalidKeys, keys_from
from mediarelay.providers.listing import NONE_ADDED, AddedServers
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

# A rotated key is picked up within this, with no deploy; a secret read costs $0.05 per ten thousand.
SECRET_SECONDS: Final = 60


class EnvironmentKeys:
    """Implements `keys.ports.KeySource` over the function's own environment variables."""

    def __init__(self, values: Mapping[str, str], added: AddedServers = NONE_ADDED) -> None:
        faults: dict[str, InvalidKeys] = {}
        self._values = values
        self._keys = keys_from(values, {**CREDENTIALS, **added.credentials}, faults=faults)
        self._faults = {**added.faults, **_in_words(faults)}

    def load(self) -> Mapping[str, tuple[ApiKey, ...]]:
        """See `keys.ports.KeySource.load`."""
        return self._keys

    def faults(self) -> Mapping[str, str]:
        """See `keys.ports.KeySource.faults`."""
        return self._faults

    def beside(self, name: str) -> object:
        """See `keys.ports.KeySource.beside`."""
        return self._values.get(name)


class SecretKeys:
    """Implements `keys.ports.KeySource` over one secret whose JSON fields are named like the environment variables."""

    def __init__(
        self, client: Any, secret_id: str, *, fallback: Mapping[str, str], added: AddedServers = NONE_ADDED
    ) -> None:
        """Use `fallback` for what the secret does not name. `added` are servers beside the vendors of the list."""
        self._added = added
        self._secret_id = secret_id
        self._provider = SecretsProvider(boto3_client=client)
        self._fallback = fallback
        self._raw: Any = None
        self._keys: Mapping[str, tuple[ApiKey, ...]] = {}
        self._faults: Mapping[str, str] = added.faults
        self._lock = threading.Lock()

    def load(self) -> Mapping[str, tuple[ApiKey, ...]]:
        """See `keys.ports.KeySource.load`."""
        with self._lock:  # one read for a whole batch that starts at once
            raw = self._read()
            if raw is not self._raw:
                self._keys, self._faults = self._parsed(raw)
                self._raw = raw
            return self._keys

    def faults(self) -> Mapping[str, str]:
        """See `keys.ports.KeySource.faults`."""
        return self._faults

    def beside(self, name: str) -> object:
        """See `keys.ports.KeySource.beside`."""
        return self._fallback.get(name) if self._raw is None else self._raw.get(name, self._fallback.get(name))

    def _read(self) -> Any:
        try:
            return self._provider.get(self._secret_id, max_age=SECRET_SECONDS, transform="json")
        except TransformParameterError:
            reason = "the secret is not a JSON object"
        except GetParameterError as error:
            reason = type(error.__context__ or error).__name__
        # Raised outside of the handlers: the parser's own error quotes the secret, and would be kept as the context.
        raise _unreadable(reason)

    def _parsed(self, raw: Any) -> tuple[Mapping[str, tuple[ApiKey, ...]], Mapping[str, str]]:
        """Parse the secret. A mistake in one vendor's entry leaves that vendor out, or at the keys read before.

        A secret that is no object at all cannot be read.
        """
        if not isinstance(raw, dict):
            raise _unreadable("the secret is not a JSON object")
        faults: dict[str, InvalidKeys] = {}
        keys = keys_from({**self._fallback, **raw}, {**CREDENTIALS, **self._added.credentials}, faults=faults)
        before = {vendor: self._keys[vendor] for vendor in faults if vendor in self._keys}
        return {**before, **keys}, {**self._added.faults, **_in_words(faults)}


def _in_words(faults: Mapping[str, InvalidKeys]) -> Mapping[str, str]:
    for vendor, fault in faults.items():
        logger.error("keys of a vendor left out", extra={"vendor": vendor, "reason": str(fault)})
    return {vendor: str(fault) for vendor, fault in faults.items()}


def _unreadable(reason: str) -> StoreUnavailable:
    return StoreUnavailable("keys secret", "be read", reason)
