"""The calls that reached a provider, as the workers noted them in their attempt metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mediarelay.aws.stores import from_item, query_all
from mediarelay.metrics.dynamodb import SHARDS
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Outcome


@dataclass(frozen=True, order=True)
class ProviderCall:
    """One call; moments in unix seconds."""

    started: float
    ended: float
    outcome: Outcome

    @property
    def failed(self) -> bool:
        """Whether it counts against the provider."""
        return self.outcome in PROVIDER_FAULTS


def calls_of(dynamodb: Any, table: str, provider: str, *, since: float) -> list[ProviderCall]:
    """Every call that ended later, oldest first. Metrics are kept for ten minutes."""
    found = [call for lane in range(SHARDS) for call in _of_lane(dynamodb, table, f"METRIC#{provider}#{lane}")]
    return sorted(call for call in found if call.ended > since)


def calls_after_first_fault(calls: Sequence[ProviderCall], *, within: float) -> list[ProviderCall]:
    """Those that started once the first fault had come back, for so many seconds; those under way then are left out."""
    known = min(call.ended for call in calls if call.failed)
    return [call for call in calls if known <= call.started < known + within]


def trials(calls: Sequence[ProviderCall], *, due: float, closed: float) -> list[ProviderCall]:
    """Those that started once the circuit was due for a trial, and before it was closed (unix seconds)."""
    return [call for call in calls if due <= call.started < closed]


def one_at_a_time(calls: Sequence[ProviderCall]) -> bool:
    """Whether each had ended when the next one started."""
    return all(earlier.ended <= later.started for earlier, later in pairwise(sorted(calls)))


def _of_lane(dynamodb: Any, table: str, partition: str) -> list[ProviderCall]:
    items = query_all(
        dynamodb,
        TableName=table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": partition}},
    )
    return [_call(attempt) for item in items for attempt in from_item(item)["attempts"]]


def _call(attempt: dict[str, Any]) -> ProviderCall:
    started = float(attempt["started_at"]) / 1000
    return ProviderCall(started, started + float(attempt["latency_ms"]) / 1000, Outcome(attempt["outcome"]))
