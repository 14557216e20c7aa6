"""The API's tokens: one Secrets Manager secret, a JSON list of name, token and expires_at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_lambda_powertools.utilities.parameters import SecretsProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.config import Config
from pydantic import ValidationError

from mediarelay.api.tokens import TOKENS, Token
from mediarelay.vocabulary.errors import StoreUnavailable

# A token that was taken out of the secret is refused within this.
SECRET_SECONDS: Final = 30


class SecretTokens:
    """Implements `api.ports.TokenSource`."""

    def __init__(self, secret_id: str, config: Config) -> None:
        self._secret_id = secret_id
        self._provider = SecretsProvider(boto_config=config)

    def load(self) -> Sequence[Token]:
        """See `api.ports.TokenSource.load`."""
        try:
            return TOKENS.validate_json(str(self._provider.get(self._secret_id, max_age=SECRET_SECONDS)))
        except GetParameterError as error:
            reason = type(error.__context__ or error).__name__
        except ValidationError as error:
            reason = f"not a list of tokens: {error.error_count()} mistakes"
        # Raised outside of the handlers: a validation error holds its input, which is the tokens.
        raise StoreUnavailable("tokens secret", "be read", reason)
