"""Where the media in an answer is: whether the body of a speech answer is the speech, and pictures within JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from mediarelay.providers.api import InlineMedia, RemoteMedia
from mediarelay.providers.error_table import content_type
from mediarelay.providers.json_reading import decoded, text

_DOCUMENTS: Final = ("json", "html", "xml", "javascript")
_OTHER_FAMILIES: Final = ("text/", "image/", "multipart/")
_REMOTE: Final = re.compile(r"https?://\S+", re.IGNORECASE)
_INLINE: Final = re.compile(r"data:", re.IGNORECASE)


def is_speech(status: int, headers: Mapping[str, str]) -> bool:
    """Whether to stream the body as audio.

    Only what is plainly something else is refused: a missing type, `application/octet-stream` and odd names all come
    with audio that has been paid for, and the bytes are verified against the format later anyway.
    """
    kind = content_type(headers)
    other = kind.startswith(_OTHER_FAMILIES) or any(word in kind for word in _DOCUMENTS)
    return status == 200 and not other  # noqa: PLR2004 - OK


def media_in(entry: Mapping[str, Any]) -> InlineMedia | RemoteMedia | None:
    """Returns where one output of an answer is, by its `b64_json` or its `url`; None when neither leads to any."""
    url = text(entry.get("url"))
    data = decoded(entry.get("b64_json")) or (decoded(url) if _INLINE.match(url) else b"")
    if data:
        return InlineMedia(data)
    return RemoteMedia(url) if _REMOTE.fullmatch(url) else None
