"""API keys as operators write them: one variable (or one field of the secret) for each vendor.

    OPENAI_API_KEYS=key1,key2
    FAL_KEYS=[{"key": "…", "account": "acme", "weight": 2}, "…"]

No error raised here carries any part of a key, nor does anything chained to it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError

from mediarelay.keys.pool import KeyEntry
from mediarelay.providers.credentials import ApiKeys, Credentials, FunctionRole
from mediarelay.providers.registry import VENDORS
from mediarelay.vocabulary.errors import MediaRelayError

CREDENTIALS: Final[Mapping[str, Credentials]] = MappingProxyType(
    {vendor.name: vendor.credentials for vendor in VENDORS.values()}
)


class InvalidKeys(MediaRelayError):
    """A variable does not hold keys.

    Attributes:
        variable: Its name.
        index: Which entry, from 0; None when the variable as a whole is wrong.
        reason: Names the field and what is allowed; never any part of a key.
    """

    def __init__(self, variable: str, index: int | None, reason: str) -> None:
        self.variable = variable
        self.index = index
        self.reason = reason
        super().__init__(f"{variable if index is None else f'{variable}[{index}]'}: {reason}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key and what the pool knows it by."""

    secret: SecretStr
    entry: KeyEntry


# A key goes into a header: white space or a control character in it is a slip of the clipboard, or an injection.
_Secret = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[!-~]+$", max_length=4096)]


class _WrittenKey(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    key: _Secret = Field(repr=False)
    account: str = Field(default="", max_length=128)
    weight: float = Field(default=1.0, gt=0, le=1000)
    rpm: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    concurrency: int | None = Field(default=None, gt=0)
    burst: int | None = Field(default=None, gt=0)


def key_id(secret: str) -> str:
    """The name a key goes by everywhere: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


def parse_keys(vendor: str, value: object, *, variable: str | None = None) -> tuple[ApiKey, ...]:
    """The keys in one variable's value, in order, blanks and duplicates dropped.

    Args:
        vendor: Whose keys they are.
        value: `key1,key2`, a JSON list of keys and `{"key", "account", "weight", "rpm", "concurrency",
            "burst"}`, one such
            object, or either of these already decoded.
        variable: The name to blame in an error; by default the vendor's plural variable.

    Raises:
        InvalidKeys: The value is none of these.
    """
    name = variable or _plural(vendor)
    found: dict[str, ApiKey] = {}
    for index, item in enumerate(_items(name, value)):
        if isinstance(item, str) and not item.strip():
            continue
        key = _api_key(vendor, _written(name, index, item))
        found.setdefault(key.entry.key_id, key)
    return tuple(found.values())


def keys_from(
    values: Mapping[str, Any], credentials: Mapping[str, Credentials] = CREDENTIALS
) -> dict[str, tuple[ApiKey, ...]]:
    """Returns all keys in the environment or in the decoded secret, by vendor; vendors without any are left out.

    The plural variable counts; the singular ones are the fallback when it is missing or empty. A vendor that knows the
    function by its role has one credential, which is pooled like a key. Raises `InvalidKeys`.
    """
    found = {vendor: _of_vendor(vendor, source, values) for vendor, source in credentials.items()}
    return {vendor: keys for vendor, keys in found.items() if keys}


def _of_vendor(vendor: str, source: Credentials, values: Mapping[str, Any]) -> tuple[ApiKey, ...]:
    if isinstance(source, FunctionRole):
        role = source.credential(values)
        # Every worker has a secret of its own for the one role: it goes by the vendor's name, not by a hash of that.
        entry = KeyEntry(key_id=key_id(f"role at {vendor}"), vendor=vendor)
        return (ApiKey(SecretStr(role), entry),) if role else ()
    for variable in source.variables:
        keys = parse_keys(vendor, values.get(variable), variable=variable)
        if keys:
            return keys
    return ()


def _plural(vendor: str) -> str:
    source = CREDENTIALS.get(vendor)
    return source.plural if isinstance(source, ApiKeys) else f"keys of {vendor}"


def _items(variable: str, value: object) -> list[object]:
    decoded = _decoded(variable, value) if isinstance(value, str) else value
    if decoded is None:
        return []
    if isinstance(decoded, list):
        return decoded
    if isinstance(decoded, Mapping):
        return [decoded]
    raise InvalidKeys(variable, None, "must be keys separated by commas, or a JSON list of keys and objects")


def _decoded(variable: str, text: str) -> object:
    if not text.lstrip().startswith(("[", "{")):
        return text.split(",")
    try:
        return json.loads(text)
    except ValueError:
        pass  # raised below: the decoder's error holds the whole text, and chaining would keep it
    raise InvalidKeys(variable, None, "is not valid JSON")


def _written(variable: str, index: int, item: object) -> _WrittenKey:
    fields = {"key": item} if isinstance(item, str) else item
    if not isinstance(fields, Mapping):
        raise InvalidKeys(variable, index, "must be a key or an object with a key")
    try:
        return _WrittenKey.model_validate(dict(fields))
    except ValidationError as error:
        reason = "; ".join(_reasons(error))
    raise InvalidKeys(variable, index, reason)  # outside of the handler: the validation error holds the input


def _reasons(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        if problem["type"] == "extra_forbidden":
            yield f"{_field_name(problem['loc'][0])} is not known; allowed are {', '.join(_WrittenKey.model_fields)}"
        elif problem["loc"] == ("key",) and problem["type"] != "missing":
            yield "key must be printable ASCII without spaces"
        else:
            yield f"{problem['loc'][0]}: {problem['msg']}"


def _field_name(name: object) -> str:
    """The name, if it is a plausible slip of the pen; somebody may have put a key where a field belongs."""
    return f"field {name!r}" if re.fullmatch(r"[a-z_]{1,16}", str(name)) else "a field"


def _api_key(vendor: str, written: _WrittenKey) -> ApiKey:
    entry = KeyEntry(
        key_id=key_id(written.key),
        vendor=vendor,
        account=written.account.strip(),
        weight=written.weight,
        rpm=written.rpm,
        concurrency=written.concurrency,
        burst=written.burst,
    )
    return ApiKey(SecretStr(written.key), entry)
