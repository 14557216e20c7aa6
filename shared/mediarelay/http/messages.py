"""Requests and answers as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request without its credentials.

    Attributes:
        method: HTTP method.
        path: Path below the provider's base URL, beginning with a slash; already percent-encoded.
        json: The body; an empty one is not sent at all.
        params: Query parameters.
        headers: Extra headers; never an authorization.
        read_timeout_seconds: How long to wait between bytes before the answer is given up.
    """

    method: str
    path: str
    json: Mapping[str, Any]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    read_timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back.

    Attributes:
        status: HTTP status.
        headers: With lower-case names.
        body: The whole body, or None for a success whose body is media: it is then streamed, never held.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | None
