"""An answer is read with files for its long base64 as it would be read whole, wherever it is cut, whatever is in it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.http.messages import HttpReply, Stretch
from mediarelay.http.spooled_json import LONG_CHARACTERS, TEXT_LIMIT_BYTES, read_spooled
from mediarelay.providers.json_reading import decoded
from mediarelay.vocabulary.errors import Unreachable

SOUND = bytes(range(256)) * 200
LONG = base64.b64encode(SOUND).decode()
PLACES = {
    "as it is": LONG,
    "in the other alphabet": base64.urlsafe_b64encode(SOUND).decode(),
    "unpadded": LONG.rstrip("="),
    "padded too much": LONG.rstrip("=") + "=====",
    "in a URL": f"data:audio/wav;base64,{LONG}",
    "in a URL in capitals": f"DATA:,{LONG}",
    "in lines": "\r\n".join(LONG[at : at + 76] for at in range(0, len(LONG), 76)),
    "in words": " ".join(LONG[at : at + 40_000] for at in range(0, len(LONG), 40_000)),
    "broken at its end": LONG.rstrip("=") + "!",
    "one character too few": LONG.rstrip("=")[: -(len(LONG.rstrip("=")) % 4) or None] + "A",
    "padded in the middle": LONG[:40_000] + "=" + LONG[40_000:],
    "padded in the middle, later": LONG[:60_000] + "==" + LONG[60_000:],
    "a text": "all that was said, and more. " * 2000,
    "a word without an end": "word" * 20_000 + ", and then a text",
    "letters beyond ASCII": LONG[:40_000] + "\N{LATIN SMALL LETTER E WITH ACUTE}" + LONG[40_000:],
    "a quote within": LONG[:40_000] + '"' + LONG[40_000:],
    "a backslash within": LONG[:40_000] + "\\" + LONG[40_000:],
    "a backslash and an n": LONG[:40_000] + "\\n" + LONG[40_000:],
    "a lone surrogate": LONG[:40_000] + "\ud800" + LONG[40_000:],
    "a URL": "https://media.invalid/" + "a" * 50_000,
    "short": base64.b64encode(SOUND[:600]).decode(),
}
WRITTEN: dict[str, Any] = {
    "plainly": json.dumps,
    "with every slash escaped": lambda value: json.dumps(value).replace("/", "\\/"),
    "with signs escaped": lambda value: json.dumps(value).replace("+", "\\u002B").replace("=", "\\u003d"),
    "in UTF-8": lambda value: json.dumps(value, ensure_ascii=False),
}


class Whole:
    """An answer whose body comes in these pieces."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.status, self.headers = 200, {"content-type": "application/json"}
        self._pieces = pieces

    def chunks(self) -> Iterator[bytes]:
        yield from self._pieces

    def read(self, limit: int) -> bytes:
        return b"".join(self._pieces)[:limit]


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def read(stack: ExitStack, body: bytes, size: int = 65_536) -> HttpReply:
    noted: list[int] = []
    reply = read_spooled(Whole(cut(body, size)), stack, noted.append)
    assert sum(noted) >= sum(file.size for file in reply.files.values())
    return reply


def content(found: bytes | Stretch) -> bytes:
    if isinstance(found, bytes):
        return found
    data = b"".join(found.pieces())
    assert (len(data), hashlib.sha256(data).hexdigest()) == (found.size, found.sha256)
    return data


def assert_same(body: bytes, size: int = 65_536) -> None:
    """Each string of the document says the same, whether it is read whole or with files; and so does a broken one."""
    with ExitStack() as stack:
        reply = read(stack, body, size)
        assert reply.body is not None
        try:
            whole = json.loads(body)
        except ValueError:
            with pytest.raises(ValueError):  # noqa: PT011 # whatever is wrong with it
                json.loads(reply.body)
            return
        for mine, theirs in zip(strings(json.loads(reply.body)), strings(whole), strict=True):
            assert content(decoded(mine, reply.files)) == content(decoded(theirs))
            assert mine == theirs or decoded(mine, reply.files) or not decoded(theirs)


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


@pytest.mark.parametrize("size", [1000, 65_536])
@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("place", PLACES)
def test_what_a_string_says_is_the_same(place: str, written: str, size: int) -> None:
    document = {"created": 1, "data": [{"b64_json": PLACES[place], "more": "\\"}, {"b64_json": LONG, "url": ""}]}
    assert_same(WRITTEN[written](document).encode("utf-8", "surrogatepass"), size)


@pytest.mark.parametrize("place", ["as it is", "in a URL", "in lines", "in the other alphabet", "padded too much"])
def test_long_base64_is_in_a_file_and_not_in_the_text(place: str) -> None:
    with ExitStack() as stack:
        reply = read(stack, json.dumps({"data": PLACES[place]}).encode())
        (file,) = reply.files.values()
        assert content(file) == SOUND
        assert reply.body is not None
        assert len(reply.body) < 100
    assert file.file.closed


@pytest.mark.parametrize("place", ["a text", "a URL", "short"])
def test_everything_else_stays_what_it_is(place: str) -> None:
    body = json.dumps({"data": PLACES[place]}).encode()
    with ExitStack() as stack:
        reply = read(stack, body)
        assert (reply.body, reply.files) == (body, {})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_json_in_another_encoding_is_read(encoding: str) -> None:
    assert_same(json.dumps({"data": LONG}).encode(encoding))


@pytest.mark.parametrize("place", ["as it is", "in lines", "a text", "letters beyond ASCII"])
def test_a_document_that_ends_anywhere_is_none(place: str) -> None:
    body = json.dumps([PLACES[place], "end"]).encode()
    for at in [*range(12), *range(LONG_CHARACTERS - 8, LONG_CHARACTERS + 8), *range(len(body) - 12, len(body))]:
        assert_same(body[:at])


PIECES = st.sampled_from([b'"', b"\\", b"\\n", b"\\u002b", b"\\u00", *(bytes([each]) for each in b"=A{}[],: \n\0\xff")])
RUNS = st.sampled_from([b"A" * 50_000, b"ab+/" * 9000, b'"' + b"Q" * 40_000, b"data:a," + b"Q" * 40_001])


@given(st.lists(PIECES | RUNS, max_size=12), st.sampled_from([997, 65_536]))
@settings(max_examples=settings.default.max_examples)
def test_bytes_of_any_kind_are_the_same_document(pieces: list[bytes], size: int) -> None:
    body = b"".join(pieces)
    for document in (body, b'["' + body + b'"]'):
        assert_same(document, size)


def test_a_document_that_has_more_text_than_any_is_too_large() -> None:
    body = json.dumps(["never the same. "] * (TEXT_LIMIT_BYTES // 8)).encode()
    with ExitStack() as stack, pytest.raises(Unreachable) as refused:
        read(stack, body)
    assert (refused.value.code, refused.value.sent) == ("too_large", True)
