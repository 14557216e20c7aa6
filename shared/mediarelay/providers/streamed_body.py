"""Whether the body of a speech answer is the speech."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mediarelay.providers.error_table import content_type

_DOCUMENTS: Final = ("json", "html", "xml", "javascript")
_OTHER_FAMILIES: Final = ("text/", "image/", "multipart/")


def is_speech(status: int, headers: Mapping[str, str]) -> bool:
    """Whether to stream the body as audio.

    Only what is plainly something else is refused: a missing type, `application/octet-stream` and odd names all come
    with audio that has been paid for, and the bytes are verified against the format later anyway.
    """
    kind = content_type(headers)
    other = kind.startswith(_OTHER_FAMILIES) or any(word in kind for word in _DOCUMENTS)
    return status == 200 and not other  # noqa: PLR2004 - OK
