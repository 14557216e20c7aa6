"""What an alert says to people: one line, what to do, an e-mail and a text message."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from mediarelay.alerts.contract import Alert, Evidence
from mediarelay.health.incident import UNWATCHED, Event

RUNBOOK: Final = "docs/operations.md"
SMS_CHARACTERS: Final = 140
SUBJECT_CHARACTERS: Final = 100  # SNS's own maximum
_DO: Final[Mapping[str, str]] = MappingProxyType(
    {
        "down": "Traffic goes to the other providers of the kind; one trial at a time finds out when it is back. "
        "Check the vendor's status page; force it down or healthy with an override if you know better. "
        f"{RUNBOOK}#provider-down",
        "degraded": "It is still used, after the healthy ones. Look at its errors and latencies in the evidence; "
        f"raise its thresholds if this is its normal. {RUNBOOK}#provider-degraded",
        "rejected": "The vendor refuses the key; the others of the pool go on. Replace it in the secret, no deploy is "
        f"needed. {RUNBOOK}#key-rejected",
        "exhausted": "The account's balance or quota is used up. Top it up, or add a key of another account. "
        f"{RUNBOOK}#account-out-of-quota",
        "cooling": "Every key of the vendor is rate-limited: requests wait, nothing is lost. Add keys of another "
        f"account. {RUNBOOK}#pool-cooling",
        "capability_at_risk": "Nothing fails yet; this alert comes again every week until it is mended. "
        f"{RUNBOOK}#capability-at-risk",
        "budget": "At 100 % requests are refused as over_budget, or wait for the next window. Raise it in the "
        f"parameter if they should go on today; no deploy is needed. {RUNBOOK}#budgets",
        "limit_lower_than_declared": "Nothing is lost: what was measured is used. Declare what the vendor allows, or "
        f"ask it for what was agreed. {RUNBOOK}#limit-lower-than-declared",
        "unreadable": "The vendor's entry in the secret, or in OpenAiServers, can't be read: workers that start leave "
        f"it out; other vendors go on. Correct the field that is named. {RUNBOOK}#keys-unreadable",
    }
)
_HEADLINES: Final[Mapping[Event, str]] = MappingProxyType(
    {
        Event.OPENED: "{what} is {status}",
        Event.CHANGED: "{what} is now {status}",
        Event.RESOLVED: "{what} is {status} again after {minutes}",
        Event.FLAPPING: "{what} keeps coming and going; single changes are no longer told",
        Event.DIGEST: "{what} still comes and goes: {suppressed} changes since the last message",
    }
)


def what_to_do(status: str, event: Event) -> str:
    """Return what the person who receives the alert can do."""
    return "Nothing: it is over." if event is Event.RESOLVED else _DO.get(status, "Look at the console.")


def headline(event: Event, what: str, status: str, *, seconds: float, suppressed: int) -> str:
    """Return one line."""
    if status == UNWATCHED:
        return f"{what} is {UNWATCHED}"
    return _HEADLINES[event].format(what=what, status=status, minutes=_duration(seconds), suppressed=suppressed)


def subject_line(alert: Alert) -> str:
    """Return the subject of an e-mail."""
    return f"[mediarelay] {alert.severity}: {_all(alert)}"[:SUBJECT_CHARACTERS]


def short_text(alert: Alert) -> str:
    """Return the text of a text message."""
    return f"mediarelay: {_all(alert)}. {alert.reason}"[:SMS_CHARACTERS]


def _all(alert: Alert) -> str:
    """Return the headlines of all that a message tells of, as many as there are."""
    return "; ".join((alert.summary, *(other.summary for other in alert.also)))


def long_text(alert: Alert) -> str:
    """Return the text of an e-mail."""
    since = datetime.fromtimestamp(alert.opened_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = [
        alert.summary,
        "",
        f"Why: {alert.reason}",
        f"Was: {alert.previous_status}, incident {alert.incident_id} since {since}",
        *figures(alert.evidence),
        "",
        f"What to do: {alert.what_to_do}",
    ]
    for other in alert.also:
        lines += ["", f"Also {other.event}: {other.summary}", f"Why: {other.reason}", f"What to do: {other.what_to_do}"]
    return "\n".join(lines) + "\n"


def figures(evidence: Evidence) -> list[str]:
    """Return the lines that tell what an alert rests on."""
    lines = []
    if evidence.samples is not None:
        rate = f"{evidence.success_rate:.1%}" if evidence.success_rate is not None else "none"
        lines.append(f"Last {evidence.window_seconds // 60} minutes: {evidence.samples} calls, {rate} succeeded")
    if evidence.p50_ms is not None and evidence.p95_ms is not None:
        lines.append(f"Latency: median {evidence.p50_ms:.0f} ms, 95th percentile {evidence.p95_ms:.0f} ms")
    if evidence.counts:
        lines.append("Outcomes: " + ", ".join(f"{name} {count}" for name, count in evidence.counts.items()))
    if evidence.last_error is not None:
        error = evidence.last_error
        lines.append(f"Last error: {error.outcome} {error.code or ''} (HTTP {error.status or 'none'})")
    if evidence.cooling_keys is not None:
        lines.append(f"Keys: {evidence.cooling_keys} cooling, {evidence.benched_keys or 0} benched")
    if evidence.queued_requests is not None:
        lines.append(f"Waiting in the queue: {evidence.queued_requests}")
    return lines


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
