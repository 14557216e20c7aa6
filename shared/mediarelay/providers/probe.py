"""A vendor's free probe: a call that costs nothing and tells whether the API answers and the key is known.

A probe proves no more than that: none of them makes media, and OpenAI's does not show an empty balance. Vendors without
a documented free call have none in their manifest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Failure, Outcome

PROBE_SECONDS: Final = 5.0


class ProbeResult(StrEnum):
    """What a probe came to."""

    WELL = "well"
    BALANCE_EMPTY = "balance_empty"  # the key is known, and nothing can be bought with it
    KEY_REJECTED = "key_rejected"
    PROVIDER_FAULT = "provider_fault"
    UNCLEAR = "unclear"  # throttled, or a scope that the key lacks: says nothing of either


def _unseen(_: Mapping[str, Any]) -> bool:
    return False


@frozen
class Probe:
    """One vendor's free call.

    Attributes:
        path: What to GET.
        failure: Reads an answer that is none.
        balance_empty: Whether the answer says that nothing can be bought.
        params: Query parameters.
    """

    path: str
    failure: Callable[[HttpReply], Failure]
    balance_empty: Callable[[Mapping[str, Any]], bool] = _unseen
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def request(self) -> HttpRequest:
        """The call, without its credential."""
        return HttpRequest("GET", self.path, {}, params=self.params, read_timeout_seconds=PROBE_SECONDS)

    def result(self, reply: HttpReply) -> ProbeResult:
        """What the answer means."""
        if reply.status != 200:  # noqa: PLR2004 # OK
            return _RESULTS.get(self.failure(reply).outcome, ProbeResult.UNCLEAR)
        try:
            body = json.loads(reply.body or b"")
        except (ValueError, RecursionError):
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
