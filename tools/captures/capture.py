"""A recorded answer: what a vendor said to what, and what the product must make of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from mediarelay.http.messages import HttpReply


class Function(StrEnum):
    """What was asked."""

    RESPONSE = "response"  # a call that delivers in its answer
    SUBMIT = "submit"
    POLL = "poll"
    RESULT = "result"
    LOOKUP = "lookup"


def _known_function(value: object) -> object:
    return value if value in set(Function) else Function.RESPONSE


def _an_object(value: object) -> object:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> object:
    """Header names in lower case, values as text; a header that came twice is joined as HTTP joins them."""
    if not isinstance(value, dict):
        return {}
    given = {str(name).lower(): each for name, each in value.items() if each is not None}
    return {name: ", ".join(map(str, each)) if isinstance(each, list) else str(each) for name, each in given.items()}


def _a_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class Capture(BaseModel):
    """One line of a file of captures. Fields that nobody knows here are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    provider: str
    expected: Annotated[list[str], BeforeValidator(_a_list), Field(min_length=1)]
    function: Annotated[Function, BeforeValidator(_known_function)] = Function.RESPONSE
    status: int = 200
    headers: Annotated[dict[str, str], BeforeValidator(_texts)] = Field(default_factory=dict)
    body: JsonValue = None
    body_base64: str | None = None
    request: Annotated[dict[str, Any], BeforeValidator(_an_object)] = Field(default_factory=dict)
    expected_wait: float | None = None
    provenance: str = "unknown"
    seen: str = ""

    @property
    def content(self) -> bytes:
        """The body as it came over the wire."""
        if self.body_base64 is not None:
            return base64.b64decode(self.body_base64)
        if isinstance(self.body, str):
            return self.body.encode("utf-8", "replace")
        return b"" if self.body is None else json.dumps(self.body).encode()

    @property
    def reply(self) -> HttpReply:
        """The answer, its body read."""
        return HttpReply(self.status, self.headers, self.content)


class BadCapture(Exception):
    """A line that is no capture."""


_SHOWN: Final = 80


def captures(lines: Iterable[str]) -> Iterator[Capture]:
    """Yield the captures of a file, blank lines left out.

    Raises:
        BadCapture: A line is none; the message says which and why.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield Capture.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise BadCapture(f"line {number}: {where} {first['msg']}: {line[:_SHOWN]}") from None
