"""API keys as operators write them: one variable (or one field of the secret) for each vendor.

    OPENAI_API_KEYS=key1,key2
    FAL_KEYS=[{"key": "…", "account": "acme", "weight": 2}, "…"]

What clipboards and .env files add to a key is taken off again (`keys.pasted`). No error raised here carries any part of
a key, nor does anything chained to it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)

from mediarelay.keys.pasted import json_in, looks_like_json, pieces, unwrapped
from mediarelay.keys.pool import KeyEntry
from mediarelay.providers import listing
from mediarelay.providers.credentials import ApiKeys, Credentials, FunctionRole
from mediarelay.vocabulary.errors import MediaRelayError
from mediarelay.vocabulary.frozen import frozen

CREDENTIALS: Final[Mapping[str, Credentials]] = MappingProxyType(
    {vendor.name: vendor.credentials for vendor in listing.vendors().values()}
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


@frozen
class ApiKey:
    """A key and what the pool knows it by."""

    secret: SecretStr
    entry: KeyEntry


# Between one call in sixteen hours and more than any vendor allows: at either end the table's microseconds can tell
# one permit from the next.
LOWEST_RPM: Final = 0.001
HIGHEST_RPM: Final = 1_000_000
HIGHEST_BURST: Final = 100_000
# Every slot that is held is an attribute of one item, which a write carries whole.
HIGHEST_CONCURRENCY: Final = 1000
# "*" and "#" have a meaning of ours in the tables, and a key without an account is one of its own under its id.
_KEY_ID: Final = re.compile(r"[0-9a-f]{12}")


def _own_name(account: str) -> str:
    if "*" in account or "#" in account or not account.isprintable():
        raise ValueError("must be printable, without '*' or '#'")
    if _KEY_ID.fullmatch(account):
        raise ValueError("must not look like a key id, which is 12 hexadecimal digits")
    return account


def _unwrapped_text(value: object) -> object:
    return unwrapped(value) if isinstance(value, str) else value


# A key goes into a header: white space or a control character in it is a slip of the clipboard, or an injection.
_Secret = Annotated[str, BeforeValidator(_unwrapped_text), StringConstraints(pattern=r"^[!-~]+$", max_length=4096)]
_Account = Annotated[str, StringConstraints(strip_whitespace=True, max_length=128), AfterValidator(_own_name)]


class _WrittenKey(BaseModel):
    # Built with the first keys that are read: some functions that import it seldom read any.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    key: _Secret = Field(repr=False)
    account: _Account = ""
    weight: float = Field(default=1.0, gt=0, le=1000)
    rpm: float | None = Field(default=None, gt=0, ge=LOWEST_RPM, le=HIGHEST_RPM, allow_inf_nan=False)
    concurrency: int | None = Field(default=None, gt=0, le=HIGHEST_CONCURRENCY)
    burst: int | None = Field(default=None, gt=0, le=HIGHEST_BURST)


def key_id(secret: str) -> str:
    """Return the name of a key in logs and tables: the first 12 hex digits of its SHA-256."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]


def parse_keys(vendor: str, value: object, *, variable: str | None = None) -> tuple[ApiKey, ...]:
    """Read the keys in one variable's value, in order, without blanks and duplicates.

    Args:
        vendor: Whose keys they are.
        value: `key1,key2`, a JSON list of keys and `{"key", "account", "weight", "rpm", "concurrency",
            "burst"}`, one such object, or either of these already decoded.
        variable: The name to blame in an error; by default the vendor's plural variable.

    Raises:
        InvalidKeys: The value is none of these.
    """
    name = variable or _plural(vendor)
    found: dict[str, ApiKey] = {}
    for index, item in enumerate(_items(name, value)):
        key = _api_key(vendor, _written(name, index, item))
        found.setdefault(key.entry.key_id, key)
    return tuple(found.values())


def keys_from(
    values: Mapping[str, Any],
    credentials: Mapping[str, Credentials] = CREDENTIALS,
    *,
    faults: dict[str, InvalidKeys] | None = None,
) -> dict[str, tuple[ApiKey, ...]]:
    """Return all keys in the environment or in the decoded secret, by vendor; vendors without any are left out.

    The plural variable counts; the singular ones are the fallback when it is missing or empty. A vendor that knows the
    function by its role has one credential, which is pooled like a key.

    Args:
        values: The variables, or the fields of the secret.
        credentials: Where each vendor's are found.
        faults: Takes what is wrong with a vendor's entry, and the vendor is left out.

    Raises:
        InvalidKeys: An entry is wrong, and there is no *faults* to say it in.
    """
    found: dict[str, tuple[ApiKey, ...]] = {}
    for vendor, source in credentials.items():
        try:
            keys = _of_vendor(vendor, source, values)
        except InvalidKeys as error:
            if faults is None:
                raise
            faults[vendor] = error.with_traceback(None)  # frames of the parser hold what it was parsing
        else:
            found.update({vendor: keys} if keys else {})
    return found


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
        return [each for item in decoded for each in (pieces(item) if isinstance(item, str) else [item])]
    if isinstance(decoded, Mapping):
        return [decoded]
    raise InvalidKeys(variable, None, "must be keys separated by commas, or a JSON list of keys and objects")


def _decoded(variable: str, text: str) -> object:
    bare = unwrapped(text)
    if not looks_like_json(bare):
        return [text]
    try:
        return json_in(bare)
    except (ValueError, RecursionError):
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
    """Return the name if it is a plausible typing error: a key may have been written where a field belongs."""
    return f"field {name!r}" if re.fullmatch(r"[a-z_]{1,16}", str(name)) else "a field"


def _api_key(vendor: str, written: _WrittenKey) -> ApiKey:
    entry = KeyEntry(
        key_id=key_id(written.key),
        vendor=vendor,
        account=written.account,
        weight=written.weight,
        rpm=written.rpm,
        concurrency=written.concurrency,
        burst=written.burst,
    )
    return ApiKey(SecretStr(written.key), entry)
