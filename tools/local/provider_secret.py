"""The Secrets Manager secrets that the stack reads: the providers' keys, and the API's tokens."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

TOKENS_SECRET_NAME = "mediarelay/api-tokens"  # noqa: S105  (a name, not a secret)


def store_keys(secrets: Any, name: str, keys: Mapping[str, str]) -> None:
    """Create the secret, or give it a new version; `keys` are its JSON fields, such as OPENAI_API_KEYS."""
    _store(secrets, name, dict(keys))


def store_tokens(secrets: Any, tokens: Sequence[tuple[str, str, float]], name: str = TOKENS_SECRET_NAME) -> None:
    """The same with the API's tokens, which may do everything: whose, the token, and its end in unix seconds."""
    _store(
        secrets,
        name,
        [{"name": who, "token": token, "expires_at": ends, "role": "operator"} for who, token, ends in tokens],
    )


def _store(secrets: Any, name: str, document: Any) -> None:
    try:
        secrets.create_secret(Name=name, SecretString=json.dumps(document))
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=json.dumps(document))
