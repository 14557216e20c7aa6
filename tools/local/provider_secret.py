"""The Secrets Manager secret with the providers' keys, made before the stack that reads it."""

import json
from collections.abc import Mapping
from typing import Any


def store_keys(secrets: Any, name: str, keys: Mapping[str, str]) -> None:
    """Create the secret, or give it a new version; `keys` are its JSON fields, such as OPENAI_API_KEYS."""
    document = json.dumps(dict(keys))
    try:
        secrets.create_secret(Name=name, SecretString=document)
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId=name, SecretString=document)
