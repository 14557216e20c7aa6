"""JSON whose long base64 is decoded into files while it is read, so that no picture and no sound is ever held whole.

A string that grows long and is base64 so far is replaced by the name of a file in `HttpReply.files`; all else stays the
text that the vendor sent. So the document is as valid as it came, and is read by the same code. What turns out to be no
base64 after all goes on as text behind that name, which then is that of no file.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Callable
from contextlib import ExitStack, suppress
from tempfile import TemporaryFile
from typing import IO, Final

from mediarelay.http.messages import HttpReply, Stretch
from mediarelay.http.ports import HttpResponse
from mediarelay.vocabulary.errors import Unreachable

# Shorter base64 is decoded where it is wanted: so little is nothing to a worker.
LONG_CHARACTERS: Final = 32 * 1024
# What an answer may be without its media. The times of 40,000 characters come to 2 MB.
TEXT_LIMIT_BYTES: Final = 4 * 1024 * 1024

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_="
_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_ESCAPE: Final = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|([nrtf/]))")
_ESCAPE_BYTES: Final = 6
_SHORT: Final = {b"n": "\n", b"r": "\r", b"t": "\t", b"f": "\f", b"/": "/"}
# The beginning of a string, up to where an escape may be cut off.
_BASE64_SO_FAR: Final = re.compile(
    rb"(data:[^,\"\\]{0,200},)?(?:[A-Z0-9+/=_-]|\\u[0-9A-F]{4}|\\[nrtf/])+(?:\\u?[0-9A-F]{0,3})?", re.IGNORECASE
)
# JSON of two or four bytes a character has a zero among the first four, or a mark before them: it is read as it is.
_WIDE: Final = re.compile(rb"\xfe\xff|\xff\xfe|[^\0]{0,3}\0")
_TELLING_BYTES: Final = 4


def read_spooled(response: HttpResponse, stack: ExitStack, note: Callable[[int], None]) -> HttpReply:
    """Read an answer, with files for its long base64, which the stack closes; *note* is told how much comes next.

    Raises:
        Unreachable: It broke off, has too much text, or its files could not be written.
    """
    reader = _Reader(stack, note)
    for chunk in response.chunks():
        try:
            reader.take(chunk)
        except OSError as error:
            raise Unreachable("no_room", f"no room for the answer ({type(error).__name__})", sent=True) from error
    return HttpReply(response.status, response.headers, reader.document(), reader.files)


class _Decoding:
    """Base64 on its way into a file."""

    def __init__(self, file: IO[bytes], note: Callable[[int], None]) -> None:
        self._file = file
        self._note = note
        self._digest = hashlib.sha256()
        self._size = 0
        self._pending = b""
        self._padded = False
        self._broken = False

    def take(self, characters: bytes) -> None:
        """Take characters of either alphabet."""
        plain = characters.rstrip(b"=")
        # Behind padding there is nothing but more of it.
        self._broken |= b"=" in plain or (self._padded and bool(plain))
        self._padded |= len(plain) < len(characters)
        encoded = self._pending + plain.translate(_STANDARD)
        whole = len(encoded) - len(encoded) % 4
        self._pending = encoded[whole:]
        self._write(encoded[:whole])

    def end(self) -> Stretch | None:
        """Return what it says; None where it was no base64."""
        if len(self._pending) == 1 or self._broken:
            return None
        self._write(self._pending + b"=" * (-len(self._pending) % 4))
        self._file.flush()
        return Stretch(self._file, 0, self._size, self._digest.hexdigest())

    def _write(self, encoded: bytes) -> None:
        if self._broken:
            return
        data = binascii.a2b_base64(encoded)
        self._note(len(data))
        self._digest.update(data)
        self._size += len(data)
        self._file.write(data)


class _Reader:
    """Takes a document piece by piece. At each moment it is between strings, in one, or in one that is decoded."""

    def __init__(self, stack: ExitStack, note: Callable[[int], None]) -> None:
        self.files: dict[str, Stretch] = {}
        self._stack = stack
        self._note = note
        self._text = bytearray()  # the document without its long base64
        self._data = b""  # what is being taken
        self._rest = b""  # what can only be told with what comes next
        self._begun: int | None = None  # where in the text the string begins, while it may be base64
        self._name = ""
        self._decoding: _Decoding | None = None
        self._opened = 0
        self._step: Callable[[int], int] = self._opening

    def take(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._data, self._rest, at = self._rest + chunk, b"", 0
        while at < len(self._data):
            at = self._step(at)
        if len(self._text) > TEXT_LIMIT_BYTES:
            reason = f"the answer exceeds {TEXT_LIMIT_BYTES} bytes beside its media"
            raise Unreachable("too_large", reason, sent=True)

    def document(self) -> bytes:
        """Return what the document is now that it is over."""
        return bytes(self._text + self._rest)

    # --- each takes what comes from there on, and returns how far it came ---------------------------------------------

    def _opening(self, at: int) -> int:
        if len(self._data) < _TELLING_BYTES:
            self._rest = self._data
            return len(self._data)
        self._step = self._as_it_is if _WIDE.match(self._data) else self._between
        return at

    def _as_it_is(self, at: int) -> int:
        self._text += self._data[at:]
        return len(self._data)

    def _between(self, at: int) -> int:
        quote = self._data.find(b'"', at)
        if quote < 0:
            return self._as_it_is(at)
        self._text += self._data[at : quote + 1]
        self._begun, self._step = len(self._text), self._within
        return quote + 1

    def _within(self, at: int) -> int:
        """In a string: the text has all of it so far."""
        data = self._data
        quote, escape = data.find(b'"', at), data.find(b"\\", at)
        if 0 <= escape < (quote if quote >= 0 else len(data)):
            if escape + 1 == len(data):
                self._text += data[at:escape]
                self._rest = data[escape:]
                return len(data)
            end = escape + 2
        else:
            end = quote if quote >= 0 else len(data)
        self._text += data[at:end]
        if self._begun is not None and len(self._text) - self._begun > LONG_CHARACTERS:
            return self._judged(self._begun, end)
        if end != quote:
            return end
        self._text += b'"'
        self._step = self._between
        return quote + 1

    def _judged(self, begun: int, at: int) -> int:
        """A string has grown long: from now on it is decoded, or is text whatever else comes."""
        self._begun = None
        known = bytes(self._text[begun:])
        found = _BASE64_SO_FAR.fullmatch(known)
        if not found:
            return at
        start = len(found[1] or b"")
        del self._text[begun + start :]
        self._name = f"<file {self._opened}>"
        self._text += self._name.encode()
        self._opened += 1
        self._data = known[start:] + self._data[at:]
        file = TemporaryFile()  # noqa: SIM115 # the stack closes it
        self._stack.callback(_closed, file)
        self._decoding, self._step = _Decoding(file, self._note), self._decoded
        return 0

    def _decoded(self, at: int) -> int:
        quote = self._data.find(b'"', at)
        run = self._data[at : quote if quote >= 0 else len(self._data)]
        cut = run.rfind(b"\\", -_ESCAPE_BYTES) if quote < 0 else -1
        if cut >= 0:
            self._rest, run = run[cut:], run[:cut]
        plain = _ESCAPE.sub(_meant, run) if b"\\" in run else run
        odd = plain.translate(None, _ALPHABET)
        if self._decoding is None or odd.strip(b" "):
            self._rest, self._step = b"", self._within
            return at
        self._decoding.take(plain.translate(None, b" ") if odd else plain)
        if quote < 0:
            return len(self._data)
        file = self._decoding.end()
        if file is not None:
            self.files[self._name] = file
        self._text += b'"'
        self._step = self._between
        return quote + 1


def _meant(escape: re.Match[bytes]) -> bytes:
    """What an escape means within base64: white space is nothing, and what has no place there stays as it is."""
    character = _SHORT[escape[2]] if escape[2] else chr(int(escape[1], 16))
    if character.isspace():
        return b""
    return character.encode() if character.isascii() and ord(character) in _ALPHABET else escape[0]


def _closed(file: IO[bytes]) -> None:
    """Close it. What a full disk did not take is tried again on closing, and is no longer wanted."""
    with suppress(OSError):
        file.close()
