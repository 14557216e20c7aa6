"""An alert as a chat shows it: Amazon Q Developer's custom notification for Slack and Teams.

Its format is of docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html (2026-11-28), which names no bounds of
lengths; ours are what people read.
"""

from __future__ import annotations

from typing import Any, Final

from mediarelay.alerts.contract import Alert, AlertFacts
from mediarelay.alerts.texts import figures
from mediarelay.health.incident import Event

TITLE: Final = 120
DESCRIPTION: Final = 2000
_MARKS: Final = {"critical": ":red_circle:", "warning": ":large_orange_circle:", "info": ":large_blue_circle:"}
_OVER: Final = ":white_check_mark:"


def notification(alert: Alert, stage: str, console: str) -> dict[str, Any]:
    """Return the message; `console` is the address of the page. An incident's messages have one thread."""
    title = f"{_OVER if alert.event is Event.RESOLVED else _MARKS[alert.severity]} {alert.summary}"
    lines = [_sentence(alert), *figures(alert.evidence)]
    lines += [f"Also {other.event}: {other.summary}. {_sentence(other)}" for other in alert.also]
    steps = [] if alert.event is Event.RESOLVED else [alert.what_to_do]
    return {
        "version": "1.0",
        "source": "custom",
        "id": alert.alert_id,
        "content": {
            "textType": "client-markdown",
            "title": _cut(title, TITLE),
            "description": _cut("\n".join(lines), DESCRIPTION),
            "nextSteps": [*steps, f"<{console}|console>"] if console else steps,
            "keywords": [alert.provider or alert.vendor or alert.subject, str(alert.severity), stage],
        },
        "metadata": {
            "threadId": alert.incident_id,
            "summary": _cut(alert.summary, TITLE),
            "eventType": str(alert.event),
            "relatedResources": [alert.subject, *(other.subject for other in alert.also)],
            "additionalContext": {"stage": stage, "severity": str(alert.severity)},
        },
    }


def _sentence(alert: AlertFacts) -> str:
    return alert.reason[:1].upper() + alert.reason[1:] + "."


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
