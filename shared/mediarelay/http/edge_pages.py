"""Answers that the vendor never wrote: pages of the network before it, such as Cloudflare's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.vocabulary.outcome import Outcome

CHALLENGE: Final = "edge_refusal"

# Cloudflare's own statuses. The origin had the request, and its answer was lost; or no connection was made at all.
_ANSWER_LOST: Final = frozenset({520, 524})
_NEVER_SENT: Final = frozenset({521, 522, 523, 525, 526, 527, 530})
# A gateway that gave up, or was cut off: what the vendor did with the request is unknown.
_GATEWAY: Final = frozenset({502, 504})
# A firewall's refusal of our address, or of this text. A 401 may still be about a key.
_REFUSALS: Final = frozenset({403, 405, 406, 418, 429, 451})
_CODE_OF_EDGE: Final = re.compile(rb"^\s*error code: 1\d{3}\b", re.IGNORECASE)
_HTML: Final = re.compile(rb"^\s*(?:<!doctype html|<html|<head|<\?xml[^>]*>\s*<!doctype html)", re.IGNORECASE)


def is_page(reply: HttpReply) -> bool:
    """Whether the body is a web page, or Cloudflare's line of text in the place of one."""
    kind = reply.headers.get("content-type", "").lower()
    body = (reply.body or b"")[:400]
    return "html" in kind or bool(_HTML.match(body) or _CODE_OF_EDGE.match(body))


def of_edge(reply: HttpReply, *, has_envelope: bool) -> Outcome | None:
    """What an answer without the vendor's envelope says of the request; None when it may well be the vendor's."""
    if reply.status in _NEVER_SENT:
        return Outcome.TIMEOUT_UNSENT
    if reply.status in _ANSWER_LOST:
        return Outcome.TIMEOUT_SENT
    if has_envelope:
        return None
    if reply.status in _GATEWAY:
        return Outcome.TIMEOUT_SENT
    if reply.status in _REFUSALS and (is_page(reply) or _challenged(reply.headers)):
        return Outcome.PROVIDER_FAULT
    return None


def _challenged(headers: Mapping[str, str]) -> bool:
    return "cf-mitigated" in headers
