"""A metric item as the stream delivers it, read straight from its wire form: a thousand of them make one batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mediarelay.metrics.counting import MetricRecord
from mediarelay.metrics.tally import CALL, Attempt, cause_of
from mediarelay.vocabulary.outcome import PROVIDER_FAULTS, Outcome

_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}


class NotAMetric(ValueError):
    """The record is no metric: it goes to the failure destination, and those after it are counted."""


def metric_record(record: Mapping[str, Any]) -> MetricRecord:
    """Read a record of the Telemetry table's stream, without attempts whose outcome only a newer version knows: they
    can be judged by that alone, and must not keep those behind them from being counted.

    Raises:
        NotAMetric: It is no metric item; the message says what is wrong with it.
    """
    try:
        change = record["dynamodb"]
        image = change["NewImage"]
        _, provider, shard = image["pk"]["S"].split("#")
        entries = [entry["M"] for entry in image["attempts"]["L"]]
        model = image["model"]["S"] if "model" in image else ""
        attempts = [_attempt(provider, model, entry) for entry in entries if entry["outcome"]["S"] in _OUTCOMES]
        return MetricRecord(provider, shard, int(change["SequenceNumber"]), attempts)
    except (KeyError, ValueError, TypeError) as error:
        raise NotAMetric(f"not a metric item: {type(error).__name__} {error}") from error


def _attempt(provider: str, model: str, fields: Mapping[str, Mapping[str, Any]]) -> Attempt:
    status = fields.get("status")
    code = fields.get("code")
    phase = fields.get("phase")
    own = fields.get("model")
    attempt = Attempt(
        outcome=_OUTCOMES[fields["outcome"]["S"]],
        started_at=int(fields["started_at"]["N"]),
        latency_ms=int(fields["latency_ms"]["N"]),
        phase=phase["S"] if phase else CALL,
        code=code["S"] if code else None,
        status=int(status["N"]) if status else None,
        model=own["S"] if own else model,
    )
    return _fault(provider, attempt, fields) if attempt.outcome in PROVIDER_FAULTS else attempt


def _fault(provider: str, attempt: Attempt, fields: Mapping[str, Mapping[str, Any]]) -> Attempt:
    """Return a fault with what distinguishes its cause; nothing is judged by the cause of a success."""
    failed_at = {name["S"] for name in fields["failed_at"]["L"]} if "failed_at" in fields else set()
    return attempt._replace(
        cause=cause_of(fields["request_id"]["S"]) if "request_id" in fields else "",
        repeated=provider in failed_at,
        elsewhere=tuple(sorted(failed_at - {provider})),
    )
