"""Keep keys out of everything that leaves the process: logs, records, alerts, results.

Vendors echo keys back, whole or masked in the middle, so a piece of a key counts as much as the key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

MARK: Final = "[redacted]"
# Shorter pieces of a key turn up in ordinary words; from eight characters on, they identify it.
PIECE: Final = 8
# Shorter than a piece, so that it can never be part of a secret by accident.
_BLANK: Final = "***"

# What keys look like when we don't know them: another tenant's, a signed token, one that was rotated away.
# `re` compiles it with the first text, and keeps it.
_KEY_LIKE: Final = r"""
  \b(?P<bearer> bearer \s+ ) (?=\S*[\d*] | \S{20}) [^\s"',;]{6,}
| \b(?P<pair> key \s+ ) [\w*.…-]{6,} : [\w*.…-]{6,}
| \b(?P<header> (?:xi|x-goog) -api-key ["']? \s* [:=] \s* ["']? ) [^\s"',;}]+
| \b sk [-_] (?=\S*[\d*.…] | \S{16}) [\w*.…-]{6,}
| \b (?:r8_|AIza) [\w*.…-]{8,}
| \b eyJ [\w-]{4,} \. [\w-]+ (?: \. [\w-]* )?
"""


def redact(text: str, secrets: Iterable[str]) -> str:
    """Return the text without any piece of eight or more characters of a secret, and without all that looks like a key.

    No piece of that length of any given secret is left in the result; shorter secrets are not looked for.
    """
    pieces = {secret[start : start + PIECE] for secret in secrets for start in range(len(secret) - PIECE + 1)}
    hits = list(_hits(text, pieces))
    clean = re.sub(_KEY_LIKE, _masked, _without(text, hits), flags=re.VERBOSE | re.IGNORECASE)
    if not hits and clean == text:
        return text
    return _BLANK if list(_hits(clean, pieces)) else clean


def _without(text: str, hits: Iterable[int]) -> str:
    kept: list[str] = []
    position = 0
    for start in hits:
        if start > position or not kept:
            kept += [text[position:start], MARK]
        position = start + PIECE
    return "".join(kept) + text[position:]


def _hits(text: str, pieces: set[str]) -> Iterator[int]:
    return (start for start in range(len(text) - PIECE + 1) if text[start : start + PIECE] in pieces)


def _masked(match: re.Match[str]) -> str:
    kept = match["bearer"] or match["pair"] or match["header"] or ""
    return kept + MARK
