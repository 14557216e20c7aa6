"""PagerDuty's routing key: the text of a Secrets Manager secret."""

from __future__ import annotations

from typing import Any, Final

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

from mediarelay.vocabulary.errors import StoreUnavailable

# One that is replaced is used within this, with no deploy.
SECRET_SECONDS: Final = 60


class StoredText:
    """Reads a secret's text."""

    def __init__(self, client: Any, secret_id: str) -> None:
        self._secret_id = secret_id
        self._provider = SecretsProvider(boto3_client=client)

    def load(self) -> str:
        """Return it. Raises `StoreUnavailable`."""
        try:
            found = self._provider.get(self._secret_id, max_age=SECRET_SECONDS)
        except GetParameterError as error:
            reason = type(error.__context__ or error).__name__
        else:
            if isinstance(found, str) and found.strip():
                return found.strip()
            reason = "the secret is no text"
        raise StoreUnavailable("routing key", "be read", reason)
