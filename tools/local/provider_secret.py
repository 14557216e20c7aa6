"""The Secrets Manager secret with the providers' keys, made before the stack that reads it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def store_keys(secrets: Any, name: str, keys: Mapping[str, str]) -> None:
    """Create the secret, or give it a new version; `keys` are its JSON fields, such as OPENAI_API_KEYS."""
    document = json.dumps(dict(keys))
    try:
        secrets.create_secret(Name=name, SecretString=document)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=document)


def store_tokens(secrets: Any, tokens: Sequence[tuple[str, str, float]], name: str = "mediarelay/api-tokens") -> None:
    """Create the secret with the API's tokens: name, token, and its end in unix seconds."""
    given = [{"name": who, "token": token, "expires_at": ends} for who, token, ends in tokens]
    try:
        secrets.create_secret(Name=name, SecretString=json.dumps(given))
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=json.dumps(given))
