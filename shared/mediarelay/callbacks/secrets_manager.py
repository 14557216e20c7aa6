"""The receivers' secrets: one Secrets Manager secret, a JSON object of a list of `whsec_` by host."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError, TransformParameterError

from mediarelay.callbacks.signing import secrets_by_host
from mediarelay.vocabulary.errors import StoreUnavailable

logger = logging.getLogger(__name__)

# A secret that is replaced is used within this, with no deploy.
SECRET_SECONDS: Final = 60


class SecretsByHost:
    """Implements `callbacks.ports.CallbackSecrets`."""

    def __init__(self, client: Any, secret_id: str) -> None:
        self._secret_id = secret_id
        self._provider = SecretsProvider(boto3_client=client)
        self._raw: Any = None
        self._keys: Mapping[str, Sequence[bytes]] = {}
        self._lock = threading.Lock()

    def load(self) -> Mapping[str, Sequence[bytes]]:
        """See `callbacks.ports.CallbackSecrets.load`."""
        with self._lock:  # one read for a whole batch
            raw = self._read()
            if raw is not self._raw:
                self._keys, faults = secrets_by_host(raw)
                self._raw = raw
                for host, fault in faults.items():
                    logger.error("secrets of a receiver left out", extra={"host": host, "reason": fault})
            return self._keys

    def _read(self) -> Any:
        try:
            raw = self._provider.get(self._secret_id, max_age=SECRET_SECONDS, transform="json")
        except TransformParameterError:
            reason = "the secret is not a JSON object"
        except GetParameterError as error:
            reason = type(error.__context__ or error).__name__
        else:
            if isinstance(raw, dict):
                return raw
            reason = "the secret is not a JSON object"
        # Raised outside of the handlers: the parser's own error quotes the secret, and would be kept as the context.
        raise StoreUnavailable("callback secrets", "be read", reason)
