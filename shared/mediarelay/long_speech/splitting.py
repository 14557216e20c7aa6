"""Where a text may be cut so that each part is within a model's limits, and is heard as if it had not been cut.

Best after a sentence, else after a clause, else between words, and between characters only where a single word is
longer than the limit or the script writes no spaces. Never inside a number, nor inside a tag such as
`<break time="1s"/>`, `<#0.7#>` or `[pause]`.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

# About five minutes, however much a model takes: a lost call costs no more, and parts are bought side by side.
LONGEST_PART: Final = 4_000
LIMIT: Final = "text_characters"

_TAG: Final = re.compile(r"<[^<>\n]{1,200}>|\[[^\[\]\n]{1,80}\]")
_NUMBER: Final = re.compile(r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?!\d)|\d+(?:[.,:/'\u2019]\d+)*")
# A comma inside a number has no white space behind it; those of scripts without spaces end a clause wherever they are.
_CLAUSE: Final = re.compile(r"[,;:\u2013\u2014\u2026](?=\s)|[\u3001\uff0c\uff1b\uff1a\u060c\u061b]|\n")
_SPACE: Final = re.compile(r"\s+")
# Where no spaces are written a line may be broken between any two of these: ideographs, kana, bopomofo.
_UNSPACED: Final = re.compile(
    r"[\u2e80-\u303f\u3040-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]"
)
_JOINERS: Final = frozenset("\u200d\ufe0e\ufe0f")


def _tokens(character: str) -> int:
    """Returns what a character is of a token at most, in hundredths: tokenizers differ, and none is at hand."""
    return 50 if character.isascii() else 150


# What a character counts in each unit, as models.json names the limits.
_Weight = Callable[[str], int]
_WEIGHTS: Final[Mapping[str, tuple[int, _Weight]]] = {
    "text_characters": (1, lambda _character: 1),
    "text_bytes": (1, lambda character: len(character.encode("utf-8", "surrogatepass"))),
    "text_tokens": (100, _tokens),
}


def text_limits(limits: Mapping[str, int]) -> dict[str, int]:
    """Returns what a part may count in each unit, of a model's limits."""
    own = {unit: limit for unit, limit in limits.items() if unit in _WEIGHTS}
    return {**own, LIMIT: min(own.get(LIMIT, LONGEST_PART), LONGEST_PART)}


def within(text: str, limits: Mapping[str, int]) -> bool:
    """Tells whether the text is within the limits."""
    return all(sum(map(weigh, text)) <= limits[unit] * scale for unit, (scale, weigh) in _chosen(limits))


def split(text: str, limits: Mapping[str, int], sentence_ends: Iterable[int]) -> list[tuple[int, int]]:
    """Returns the parts as spans of the text, in order, none of them empty; between them is only white space.

    Args:
        text: What to say.
        limits: What a part may count in each unit; see `text_limits`.
        sentence_ends: Positions behind sentences, as far as they are known.
    """
    reach = _reach(text, limits)
    whole = _inside_what_is_whole(text)
    cuts = [
        _allowed(sentence_ends, whole),
        _allowed((match.end() for match in _CLAUSE.finditer(text)), whole),
        _allowed(_between_words(text), whole),
    ]
    spans, at = [], 0
    while at < len(text):
        end = _cut(text, at, reach(at), cuts, whole)
        begin, behind = _stripped(text, at, end)
        if begin < behind:
            spans.append((begin, behind))
        at = end
    return spans


def _cut(text: str, at: int, furthest: int, cuts: Sequence[Sequence[int]], whole: Sequence[bool]) -> int:
    """Returns where the part that begins here ends: `furthest` at most."""
    if furthest >= len(text):
        return len(text)
    for places in cuts:
        number = bisect_right(places, furthest)
        if number and places[number - 1] > at and text[at : places[number - 1]].strip():
            return places[number - 1]
    return _forced(text, at, furthest, whole)


def _forced(text: str, at: int, furthest: int, whole: Sequence[bool]) -> int:
    """Returns the last place where no character is torn, and nothing that is whole where that can be helped."""
    rules: tuple[Callable[[int], bool], ...] = (
        lambda place: whole[place] or _continues(text, place),
        lambda place: _continues(text, place),
    )
    for torn in rules:
        for place in range(furthest, at, -1):
            if not torn(place):
                return place
    return max(furthest, at + 1)


def _continues(text: str, place: int) -> bool:
    """Tells whether the character here belongs to the one before it."""
    character = text[place]
    return (
        unicodedata.category(character).startswith("M")
        or character in _JOINERS
        or text[place - 1] == "\u200d"
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def _chosen(limits: Mapping[str, int]) -> list[tuple[str, tuple[int, _Weight]]]:
    return [(unit, _WEIGHTS[unit]) for unit in limits]


def _reach(text: str, limits: Mapping[str, int]) -> Callable[[int], int]:
    """Returns how far a part reaches at most that begins at a place."""
    sums = [
        (list(accumulate(map(weigh, text), initial=0)), limits[unit] * scale)
        for unit, (scale, weigh) in _chosen(limits)
    ]
    return lambda at: min(bisect_right(counted, counted[at] + limit) - 1 for counted, limit in sums)


def _inside_what_is_whole(text: str) -> list[bool]:
    """Returns of each place whether it is inside a tag or a number."""
    inside = [False] * (len(text) + 1)
    for pattern in (_TAG, _NUMBER):
        for match in pattern.finditer(text):
            for place in range(match.start() + 1, match.end()):
                inside[place] = True
    return inside


def _allowed(places: Iterable[int], whole: Sequence[bool]) -> list[int]:
    return sorted({place for place in places if 0 < place < len(whole) and not whole[place]})


def _between_words(text: str) -> Iterable[int]:
    yield from (match.end() for match in _SPACE.finditer(text))
    for match in _UNSPACED.finditer(text):
        place = match.end()
        if place < len(text) and not _continues(text, place) and unicodedata.category(text[place])[0] != "P":
            yield place


def _stripped(text: str, begin: int, end: int) -> tuple[int, int]:
    piece = text[begin:end]
    return begin + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
