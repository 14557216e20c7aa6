"""What happens here as CloudEvents 1.0, in structured mode (cloudevents.io, specification 1.0.2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OF_RESULTS: Final = {
    "kind": "kind",
    "jobstatus": "status",
    "provider": "provider",
    "tenant": "tenant",
    "client": "client",
}
_OF_ALERTS: Final = {"severity": "severity", "provider": "provider", "incidentid": "incident_id"}
_BUDGET: Final = "budget:"


def cloud_event(said: Mapping[str, Any], stage: str) -> tuple[str, dict[str, Any]] | None:
    """Return the detail type and the event of what a topic or the queue says; None for what is not of ours.

    `id` and `source` together are the same for every delivery of one event.
    """
    if "alert_id" in said:
        return _of_alert(said, stage)
    if "event_id" not in said or "settled_at" not in said:
        return None  # an alarm of CloudWatch's, which has an event of its own on the default bus
    given_up = said.get("callback_given_up")
    if given_up is None:
        facts = {"id": said["event_id"], "type": "mediarelay.media.settled.v1"}
        at, title = said["settled_at"], "Media Settled"
    else:
        facts = {"id": f"{said['event_id']}/{given_up['at']}", "type": "mediarelay.callback.failed.v1"}
        at, title = given_up["at"], "Callback Failed"
    subject = said["job_id"]
    return title, _event(said, stage, {**facts, "subject": subject}, at, _OF_RESULTS)


def _of_alert(said: Mapping[str, Any], stage: str) -> tuple[str, dict[str, Any]]:
    of_budget = str(said["subject"]).startswith(_BUDGET)
    kind = "budget.reached" if of_budget else f"alert.{said['event']}"
    facts = {"id": said["alert_id"], "type": f"mediarelay.{kind}.v1", "subject": said["subject"]}
    title = "Budget Reached" if of_budget else "Provider Alert"
    return title, _event(said, stage, facts, said["at"] * 1000, _OF_ALERTS)


def _event(
    said: Mapping[str, Any], stage: str, facts: Mapping[str, str], at: float, extensions: Mapping[str, str]
) -> dict[str, Any]:
    known = {name: str(said[field]) for name, field in extensions.items() if said.get(field) is not None}
    return {
        "specversion": "1.0",
        "source": f"/mediarelay/{stage}",
        **facts,
        "time": moment(at),
        "datacontenttype": "application/json",
        **known,
        "data": dict(said),
    }


def moment(milliseconds: float) -> str:
    """Return a moment as RFC 3339 has it."""
    at = _EPOCH + timedelta(milliseconds=milliseconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
