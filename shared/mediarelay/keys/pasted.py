"""Read keys out of text as people paste it: quotes around, `NAME=` before, marks that no eye sees."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

_SEPARATORS: Final = re.compile(r"[,;\r\n\u2028\u2029]")
_QUOTES: Final = "\"'`\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb"
# A line of a shell or of a .env file. The name must speak of a credential: a key may hold a "=" of its own.
_ASSIGNED: Final = re.compile(
    r"(?:(?:export|set)\s+|\$env:)?[A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET|CREDENTIAL)S?\s*=\s*(?=\S)"
)
_CURLY: Final = str.maketrans({"\u201c": '"', "\u201d": '"', "\u201e": '"'})
_TRAILING: Final = re.compile(r",\s*(?=[\]}])")


def unwrapped(text: str) -> str:
    """Returns the text without invisible marks, the blanks and quotes around it, and the `NAME=` before it."""
    bare = _stripped("".join(mark for mark in text if unicodedata.category(mark) != "Cf"))
    assigned = _ASSIGNED.match(bare)
    return _stripped(bare[assigned.end() :]) if assigned else bare


def pieces(text: str) -> list[str]:
    """Returns the keys in the text, blanks left out: separated by commas, semicolons or lines."""
    found = [unwrapped(piece) for piece in _SEPARATORS.split(unwrapped(text))]
    return [piece for piece in found if piece]


def looks_like_json(text: str) -> bool:
    """Returns whether the unwrapped text is meant as a JSON list or object."""
    return text.startswith(("[", "{"))


def json_in(text: str) -> object:
    """Returns the JSON in the text; commas before a closing bracket and curly quotes are forgiven.

    Raises:
        ValueError: It is no JSON. The error holds the text.
        RecursionError: It is nested too deeply.
    """
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(_TRAILING.sub("", text.translate(_CURLY)))


def _stripped(text: str) -> str:
    """A quote is taken away at either end: half a pair is left behind where a list in quotes was cut up."""
    return text.strip().strip(_QUOTES).strip().removesuffix(";").rstrip(" \t" + _QUOTES)
