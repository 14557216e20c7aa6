"""An alert as PagerDuty takes it: Events API v2 (developer.pagerduty.com/docs/events-api-v2-overview, 2026-11-28)."""

from __future__ import annotations

from typing import Any, Final

from mediarelay.alerts.contract import AlertFacts
from mediarelay.events.cloudevents import moment
from mediarelay.health.incident import Event

ADDRESS: Final = "https://events.pagerduty.com"
PATH: Final = "/v2/enqueue"
TAKEN: Final = 202
SUMMARY: Final = 1024
DEDUP_KEY: Final = 255


def pager_event(fact: AlertFacts, stage: str, console: str) -> dict[str, Any]:
    """Return the event without its routing key; of one incident all have one key, by which they are one alert there."""
    key = {"dedup_key": fact.incident_id[:DEDUP_KEY]}
    if fact.event is Event.RESOLVED:
        return {"event_action": "resolve", **key}
    evidence = fact.evidence.model_dump(mode="json", exclude_defaults=True)
    links = {"links": [{"href": console, "text": "console"}], "client_url": console} if console else {}
    return {
        "event_action": "trigger",
        **key,
        "client": f"mediarelay {stage}",
        **links,
        "payload": {
            "summary": f"{fact.summary}: {fact.reason}"[:SUMMARY],
            "source": f"mediarelay-{stage}",
            "severity": str(fact.severity),
            "timestamp": moment(fact.at * 1000),
            "component": fact.provider or fact.vendor or fact.subject,
            "group": stage,
            "class": f"{fact.subject.partition(':')[0]}_{fact.status}",
            "custom_details": {**evidence, "what_to_do": fact.what_to_do},
        },
    }
