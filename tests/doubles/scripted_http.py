"""A wire that answers what the test has planned, and counts what was paid for."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mediarelay.http.messages import ERROR_PAGE_BYTES, HttpRequest
from mediarelay.vocabulary.errors import Unreachable

MEDIA = {
    "mp3": b"ID3\x04\x00\x00\x00\x00\x00\x00" + b"\x00" * 90,
    "wav": b"RIFF\x44\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\xc0\x5d\x00\x00\x80\xbb\x00\x00"
    b"\x02\x00\x10\x00data\x20\x00\x00\x00" + b"\x01\x00" * 16,
    "png": b"\x89PNG\r\n\x1a\n" + b"\x00" * 60,
    "jpeg": b"\xff\xd8\xff\xe0" + b"\x00" * 60,
}


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; with `breaks_off` its body ends in that error. `paid`: the vendor charges for it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks_off: Unreachable | None = None
    paid: bool = False

    def chunks(self) -> Iterator[bytes]:
        """The body in two pieces."""
        middle = len(self.body) // 2
        yield self.body[:middle]
        yield self.body[middle:]
        if self.breaks_off:
            raise self.breaks_off

    def read(self, limit: int) -> bytes:
        """The body as a whole."""
        body = b"".join(self.chunks())
        if self.status >= 400:
            return body[:ERROR_PAGE_BYTES]
        if len(body) > limit:
            raise Unreachable("too_large", f"the answer exceeds {limit} bytes", sent=True)
        return body


Step = Answer | Unreachable


def speech(format_: str = "mp3") -> Answer:
    """Speech as a streamed body."""
    return Answer(200, MEDIA[format_], {"content-type": f"audio/{format_}"}, paid=True)


def document(status: int, body: Any, *, paid: bool = False, **headers: Any) -> Answer:
    """A JSON answer; underscores in header names become dashes."""
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    return Answer(status, json.dumps(body).encode(), {"content-type": "application/json", **named}, paid=paid)


def openai_error(status: int, code: str, message: str = "no", **headers: Any) -> Answer:
    """OpenAI's error envelope; also its type, for the codes that have one."""
    return document(status, {"error": {"message": message, "type": "error", "code": code}}, **headers)


def throttled(seconds: float = 20) -> Answer:
    """OpenAI's 429."""
    return openai_error(429, "rate_limit_exceeded", retry_after=str(seconds))


def truncated() -> Answer:
    """Paid speech whose body breaks off."""
    lost = Unreachable("truncated_body", "the answer broke off", sent=True)
    return Answer(200, MEDIA["mp3"], {"content-type": "audio/mpeg"}, lost, paid=True)


def unsent() -> Unreachable:
    """The provider could not be reached."""
    return Unreachable("connect_failed", "no connection", sent=False)


def unanswered() -> Unreachable:
    """The request went out and no answer came."""
    return Unreachable("read_timeout", "no answer", sent=True)


@dataclass(frozen=True)
class Sent:
    """One call as the vendor saw it."""

    url: str
    text: str
    auth: str
    deadline: float


class ScriptedHttp:
    """Implements `http.ports.HttpClient`. Thread-safe.

    `calls` are the paid calls made, `paid` counts successes by text, `fetched` are the downloads. Plans are by a part
    of the URL, or of the key; a plan that is used up leaves `default`. `during` happens while a vendor works.
    """

    def __init__(self, default: Step | None = None) -> None:
        self.default: Step = default or speech()
        self.calls: list[Sent] = []
        self.fetched: list[str] = []
        self.paid: Counter[str] = Counter()
        self._plans: dict[str, deque[Step]] = defaultdict(deque)
        self._always: dict[str, Step] = {}
        self._refused: list[tuple[str, str, Step]] = []
        self.during: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def plan(self, where: str, *steps: Step) -> None:
        """The next answers of a vendor or key."""
        self._plans[where].extend(steps)

    def always(self, where: str, step: Step) -> None:
        """Every answer of a vendor or key from now on."""
        self._always[where] = step

    def refuse(self, text: str, where: str, step: Step) -> None:
        """Every answer to this text from now on, of a vendor or key."""
        self._refused.append((text, where, step))

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[Answer]:
        """See `http.ports.HttpClient.send`."""
        body = request.json
        text = str(body.get("input") or body.get("text") or body.get("prompt"))
        sent = Sent(request.url, text, " ".join(request.headers.values()), deadline)
        self.during()
        with self._lock:
            self.calls.append(sent)
            step = self._next(f"{sent.url} {sent.auth}", text)
            if isinstance(step, Answer) and step.paid:
                self.paid[text] += 1
        yield from _played(step)

    @contextmanager
    def fetch(self, url: str, *, deadline: float) -> Iterator[Answer]:
        """See `http.ports.HttpClient.fetch`."""
        del deadline
        with self._lock:
            self.fetched.append(url)
            step = self._next(url)
        yield from _played(step)

    def _next(self, seen: str, text: str = "") -> Step:
        for refused, where, step in self._refused:
            if text == refused and where in seen:
                return step
        for where, steps in self._plans.items():
            if where in seen and steps:
                return steps.popleft()
        return next((step for where, step in self._always.items() if where in seen), self.default)


def _played(step: Step) -> Iterator[Answer]:
    if isinstance(step, Unreachable):
        raise step
    yield step
