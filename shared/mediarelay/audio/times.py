"""When each word or sentence is heard: from what a vendor tells, across the parts of a long text, to files.

A vendor tells the times of pieces: single characters, or words with what follows them. `grouped` makes words or
sentences of them, `joined` is for a text that was spoken in parts, and `written` makes the files: JSON, SubRip (SRT)
and WebVTT (W3C), in which each word or sentence is a cue of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from mediarelay.vocabulary.frozen import frozen

FORMATS: Final = ("json", "srt", "vtt")

# What ends a sentence when white space follows; scripts without spaces end it at once.
_ENDS: Final = re.compile("[.!?\u2026\u06d4\u0964]+[\"'\u2019\u201d)\\]\u00bb]*\\s*$")
_ENDS_AT_ONCE: Final = re.compile("[\u3002\uff01\uff1f]+[\"'\u2019\u201d\uff09\u300d\u300f]*\\s*$")
# A full stop behind one of these or behind a single letter is none.
_SHORTENED: Final = re.compile(
    r"(?:^|[\s(])(?:[^\W\d_]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|No|Nr|bzw|usw|approx|etc)\.\s*$", re.IGNORECASE
)
# Written without spaces: each is a word.
_ALONE: Final = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]\\W*$")
# So far back these look. Of what was gathered all would be read again for each character: a text without an end,
# which is paid for, would take longer than its worker lives.
_LONGEST_ENDING: Final = 64


@frozen
class Span:
    """A piece of text, and when it is heard, in seconds from the beginning."""

    text: str
    start: float
    end: float


def grouped(pieces: Iterable[Span], unit: str) -> list[Span]:
    """Returns the words or sentences that the pieces make, without the white space around them.

    Args:
        pieces: All of the text in order, white space included.
        unit: `word` or `sentence`.
    """
    found: list[Span] = []
    current: Span | None = None
    for piece in pieces:
        if current is not None and _is_whole(current.text, piece.text, unit):
            found.append(current)
            current = None
        if current is None:
            # White space before a word is no part of the time in which it is heard.
            current = piece if piece.text.strip() else None
        else:
            heard = piece.end if piece.text.strip() else current.end
            current = Span(current.text + piece.text, current.start, max(current.end, heard))
    if current is not None:
        found.append(current)
    return in_order([replace(span, text=" ".join(span.text.split())) for span in found])


def in_order(spans: Sequence[Span]) -> list[Span]:
    """Returns the spans with times that never go backwards, whatever the vendor said."""
    ordered, at = [], 0.0
    for span in spans:
        start = max(at, span.start)
        ordered.append(Span(span.text, start, max(start, span.end)))
        at = start
    return ordered


def joined(parts: Sequence[Sequence[Span]], seconds: Sequence[float]) -> list[Span]:
    """Returns the spans of a text that was spoken in parts: each part's are moved by the length of those before it.

    Args:
        parts: The spans of each part, from its own beginning.
        seconds: How long each part is in the whole: of the last one it doesn't matter.
    """
    moved: list[Span] = []
    at = 0.0
    for spans, length in zip(parts, seconds, strict=True):
        moved += [Span(span.text, span.start + at, span.end + at) for span in spans]
        at += length
    return in_order(moved)


def written(spans: Sequence[Span], unit: str) -> Mapping[str, bytes]:
    """Returns the content of each file, by its format."""
    return {"json": _json(spans, unit), "srt": _srt(spans), "vtt": _vtt(spans)}


def read(data: bytes) -> list[Span]:
    """Returns the spans of a JSON file that `written` made."""
    return [Span(each["text"], each["start"], each["end"]) for each in json.loads(data)["spans"]]


def _is_whole(text: str, following: str, unit: str) -> bool:
    """Tell whether what was gathered is a word or sentence, given what follows it."""
    apart = text[-1:].isspace() or following[:1].isspace()
    ending = text.rstrip()[-_LONGEST_ENDING:]
    if unit == "word":
        return apart or bool(_ALONE.search(ending) and following[:1].isalnum())
    if following.isspace():
        return False  # belongs to what it follows
    ended = apart and _ENDS.search(ending) and not _SHORTENED.search(ending)
    return bool(ended or _ENDS_AT_ONCE.search(ending))


def _json(spans: Sequence[Span], unit: str) -> bytes:
    rows = [{"text": span.text, "start": round(span.start, 3), "end": round(span.end, 3)} for span in spans]
    return _encoded(json.dumps({"unit": unit, "spans": rows}, ensure_ascii=False, separators=(",", ":")))


def _srt(spans: Sequence[Span]) -> bytes:
    cues = [
        f"{number}\n{_clock(span.start, ',')} --> {_clock(span.end, ',')}\n{span.text}\n"
        for number, span in enumerate(spans, 1)
    ]
    return _encoded("\n".join(cues))


def _vtt(spans: Sequence[Span]) -> bytes:
    cues = [f"{_clock(span.start, '.')} --> {_clock(span.end, '.')}\n{_escaped(span.text)}\n" for span in spans]
    return _encoded("\n".join(["WEBVTT\n", *cues]))


def _encoded(text: str) -> bytes:
    """As UTF-8; half of a surrogate pair, which a vendor's JSON can smuggle in, becomes a question mark."""
    return text.encode("utf-8", "replace")


def _clock(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, left = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{left // 1000:02}{point}{left % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
