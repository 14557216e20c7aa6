"""Where the keys come from: one Secrets Manager secret, or the environment."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError, TransformParameterError

from mediarelay.keys.parsing import ApiKey, InvalidKeys, keys_from
from mediarelay.vocabulary.errors import StoreUnavailable

# A rotated key is picked up within this, with no deploy; a secret read costs $0.05 per ten thousand.
SECRET_SECONDS: Final = 60


class EnvironmentKeys:
    """Implements `keys.ports.KeySource` over the function's own environment variables."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._keys = keys_from(values)

    def load(self) -> Mapping[str, tuple[ApiKey, ...]]:
        """See `keys.ports.KeySource.load`."""
        return self._keys


class SecretKeys:
    """Implements `keys.ports.KeySource` over one secret whose JSON fields are named like the environment variables."""

    def __init__(self, client: Any, secret_id: str, *, fallback: Mapping[str, str]) -> None:
        """`fallback` gives what the secret does not name."""
        self._secret_id = secret_id
        self._provider = SecretsProvider(boto3_client=client)
        self._fallback = fallback
        self._raw: Any = None
        self._keys: Mapping[str, tuple[ApiKey, ...]] = {}
        self._lock = threading.Lock()

    def load(self) -> Mapping[str, tuple[ApiKey, ...]]:
        """See `keys.ports.KeySource.load`."""
        with self._lock:  # one read for a whole batch that starts at once
            raw = self._read()
            if raw is not self._raw:
                self._keys, self._raw = self._parsed(raw), raw
            return self._keys

    def _read(self) -> Any:
        try:
            return self._provider.get(self._secret_id, max_age=SECRET_SECONDS, transform="json")
        except TransformParameterError:
            reason = "the secret is not a JSON object"
        except GetParameterError as error:
            reason = type(error.__context__ or error).__name__
        # Raised outside of the handlers: the parser's own error quotes the secret, and would be kept as the context.
        raise _unreadable(reason)

    def _parsed(self, raw: Any) -> Mapping[str, tuple[ApiKey, ...]]:
        """A slip in the secret is a secret that cannot be read: workers go on with the keys they know."""
        if not isinstance(raw, dict):
            raise _unreadable("the secret is not a JSON object")
        try:
            return keys_from({**self._fallback, **raw})
        except InvalidKeys as error:
            reason = str(error)
        raise _unreadable(reason)  # not chained: frames of the parser hold what it was parsing


def _unreadable(reason: str) -> StoreUnavailable:
    return StoreUnavailable("keys secret", "be read", reason)
