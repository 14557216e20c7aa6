"""Where sentences end: sentencex knows the abbreviations and the signs of some two hundred languages.

It is imported with the first long text; nothing else needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_DEFAULT_LANGUAGE: Final = "en"


def sentence_ends(text: str, language: str | None) -> Sequence[int]:
    """Returns the positions behind the sentences of a text in that language (`en`, `pt-BR`)."""
    import sentencex  # noqa: PLC0415 # see above

    spoken = (language or _DEFAULT_LANGUAGE).partition("-")[0]
    return [found["end_index"] for found in sentencex.get_sentence_boundaries(spoken, text)]
