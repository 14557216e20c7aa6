"""Reading a vendor's JSON without trusting it: what is missing or of another type reads as absent, not as an error."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from mediarelay.http.messages import Stretch

_MESSAGE_CHARACTERS: Final = 300
_EMPTY: Final[Mapping[str, Any]] = {}


def json_object(body: bytes | None) -> Mapping[str, Any]:
    """The body as a JSON object; empty when it is anything else."""
    try:
        return mapping(json.loads(body or b""))
    except (ValueError, RecursionError):  # ValueError covers bad JSON and bad UTF-8
        return _EMPTY


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else _EMPTY


def items(value: object) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def path_part(name: str) -> str:
    """A vendor's own name for something as one part of a path, whatever is in it."""
    return quote(name, safe="", errors="replace")  # JSON can smuggle lone surrogates


def count(value: object) -> float | None:
    """The value if it is a finite number of things, at least 0; None for anything else. Digits in a string count."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def decoded(value: object, files: Mapping[str, Stretch] = _EMPTY) -> bytes | Stretch:
    """The bytes of base64 as vendors write it: broken into lines, behind `data:…,`, of either alphabet, unpadded.

    Empty for what is none. Long base64 was decoded as it came: a name of one of these files stands in its place.
    """
    encoded = text(value)
    if encoded[:5].lower() == "data:":
        encoded = encoded.partition(",")[2]
    if encoded in files:
        return files[encoded]
    plain = "".join(encoded.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):  # ValueError: characters outside ASCII
        return b""


def words(message: str, body: bytes | None) -> str:
    """One line of at most 300 characters for people: the message, or the raw body when the vendor gave none."""
    raw = message or (body or b"")[: 4 * _MESSAGE_CHARACTERS].decode("utf-8", "replace")
    storable = raw[: 4 * _MESSAGE_CHARACTERS].encode("utf-8", "replace").decode()  # JSON can smuggle lone surrogates
    return " ".join(storable.split())[:_MESSAGE_CHARACTERS]
