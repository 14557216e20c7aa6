"""The vendors' free probes: a call that costs nothing and tells whether the API answers and the key is known.

A probe proves no more than that: none of them makes media, and OpenAI's does not show an empty balance. Vendors without
a documented free call have none here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.elevenlabs.errors import ELEVENLABS_ERRORS, elevenlabs_signals
from mediarelay.providers.error_table import classify
from mediarelay.providers.gemini.errors import gemini_failure
from mediarelay.providers.openai.errors import OPENAI_ERRORS, openai_signals
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Failure, Outcome

PROBE_SECONDS: Final = 5.0


class ProbeResult(StrEnum):
    """What a probe came to."""

    WELL = "well"
    BALANCE_EMPTY = "balance_empty"  # the key is known, and nothing can be bought with it
    KEY_REJECTED = "key_rejected"
    PROVIDER_FAULT = "provider_fault"
    UNCLEAR = "unclear"  # throttled, or a scope that the key lacks: says nothing of either


@dataclass(frozen=True, slots=True)
class Probe:
    """One vendor's free call."""

    path: str
    classify: Callable[[HttpReply], Failure]
    balance_empty: Callable[[Mapping[str, Any]], bool]
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def request(self) -> HttpRequest:
        """The call, without its credentials."""
        return HttpRequest("GET", self.path, {}, params=self.params, read_timeout_seconds=PROBE_SECONDS)

    def result(self, reply: HttpReply) -> ProbeResult:
        """What the answer means."""
        if reply.status != 200:  # noqa: PLR2004 # OK
            return _RESULTS.get(self.classify(reply).outcome, ProbeResult.UNCLEAR)
        try:
            body = json.loads(reply.body or b"")
        except ValueError:
            return ProbeResult.PROVIDER_FAULT
        if not isinstance(body, dict):
            return ProbeResult.PROVIDER_FAULT
        return ProbeResult.BALANCE_EMPTY if self.balance_empty(body) else ProbeResult.WELL


_RESULTS: Final[Mapping[Outcome, ProbeResult]] = MappingProxyType(
    {
        Outcome.KEY_REJECTED: ProbeResult.KEY_REJECTED,
        Outcome.QUOTA_EXHAUSTED: ProbeResult.BALANCE_EMPTY,
        **dict.fromkeys(PROVIDER_FAULTS, ProbeResult.PROVIDER_FAULT),
    }
)


def _no_characters_left(body: Mapping[str, Any]) -> bool:
    used, limit = body.get("character_count"), body.get("character_limit")
    return isinstance(used, int) and isinstance(limit, int) and used >= limit


PROBES: Final[Mapping[str, Probe]] = MappingProxyType(
    {
        "openai": Probe(
            "/models", lambda reply: classify(OPENAI_ERRORS, openai_signals(reply), reply), lambda _: False
        ),
        "elevenlabs": Probe(
            "/v1/user/subscription",
            lambda reply: classify(ELEVENLABS_ERRORS, elevenlabs_signals(reply), reply),
            _no_characters_left,
        ),
        "gemini": Probe(
            "/v1beta/models",
            gemini_failure,
            lambda _: False,
            params=MappingProxyType({"pageSize": "1"}),
        ),
    }
)
