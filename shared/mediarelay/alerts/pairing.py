"""What people know of each subject, and what they must be told next: opened and resolved take turns, whatever happens.

Theory of operation
- A change of a record is a *report*: how its subject stands. A stream gives it once or often, late or never, and each
  subject's reports have an order, so that what is older than what was heard changes nothing.
- People know a subject as open or not. The next message is the difference between that and the newest report: a report
  of trouble opens what is not open and changes what is, whatever it says of itself; an end ends only what is open.
- A message is written down before it is published and confirmed after, each by a conditional write. Who dies in between
  leaves it to whoever comes by, under the same alert id; who is overtaken decides anew.
- A report whose message must wait is the difference still to be told: nothing else has to be remembered.
"""

from __future__ import annotations

from mediarelay.alerts.contract import Alert, AlertFacts, Severity
from mediarelay.health.incident import Event
from mediarelay.vocabulary.model import Record


class IncidentState(Record):
    """What people know of one subject, and what was heard of it. Moments are unix seconds.

    Attributes:
        subject: As alerts name it; of a budget with its window.
        group: The vendor, with whose other incidents it is told.
        open: Whether people know of an open incident.
        incident_id: The open one, or the last.
        opened_at: When it began.
        status: The status that people were told last.
        alert_id: The newest message that was published.
        heard: The newest report.
        number: Orders reports of one moment.
        sending: What is being published.
        ends_at: When it ends by itself.
        version: Counts the writes; a write is conditional on it.
    """

    subject: str
    group: str | None = None
    open: bool = False
    incident_id: str = ""
    opened_at: float = 0.0
    status: str = ""
    alert_id: str = ""
    heard: Alert | None = None
    number: int = 0
    sending: Alert | None = None
    ends_at: float | None = None
    version: int = 0

    def hears(self, report: Alert, number: int) -> IncidentState:
        """Return the state after a report; itself when it has heard the same or newer."""
        if self.heard is not None and (report.at, number) <= (self.heard.at, self.number):
            return self
        return self.model_copy(update={"heard": report, "number": number})

    def due(self) -> Alert | None:
        """Return what people must be told next; None when they know it all."""
        report = self.heard
        if self.sending is not None:
            return self.sending
        if report is None or report.alert_id == self.alert_id:
            return None
        known = {"incident_id": self.incident_id, "opened_at": self.opened_at}
        if report.event is Event.RESOLVED:
            return report.model_copy(update=known) if self.open else None
        if not self.open:
            event = Event.FLAPPING if report.event is Event.FLAPPING else Event.OPENED
            return report.model_copy(update={"event": event})
        if report.event in (Event.FLAPPING, Event.DIGEST):
            return report.model_copy(update=known)
        return report.model_copy(update={**known, "event": Event.CHANGED}) if report.status != self.status else None

    def sends(self, message: Alert) -> IncidentState:
        """Return the state while the message is being published."""
        return self.model_copy(update={"sending": message})

    def sent(self) -> IncidentState:
        """Return the state once what was being published is published."""
        message = self.sending
        if message is None:
            return self
        facts = {
            "open": message.event is not Event.RESOLVED,
            "incident_id": message.incident_id,
            "opened_at": message.opened_at,
            "status": message.status,
            "alert_id": message.alert_id,
            "sending": None,
        }
        return self.model_copy(update=facts)

    def ended(self, now: float) -> IncidentState:
        """Return the state once it has ended by itself, if it is time."""
        newest = self.heard
        if newest is None or not self.open or self.ends_at is None or now < self.ends_at:
            return self
        over = {
            "alert_id": f"{round(self.ends_at * 1000):013d}:{self.subject}:over",
            "event": Event.RESOLVED,
            "severity": Severity.INFO,
            "status": "over",
            "previous_status": newest.status,
            "at": self.ends_at,
            "summary": f"{newest.subject} begins anew: its window is over",
            "reason": "its window is over",
            "what_to_do": "Nothing: it is over.",
        }
        return self.hears(newest.model_copy(update=over), self.number)


_URGENCY = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


def together(messages: list[Alert]) -> Alert:
    """Return one message that tells of all of these, the most urgent first."""
    first, *others = sorted(messages, key=lambda alert: (_URGENCY.index(alert.severity), alert.at, alert.subject))
    if not others:
        return first
    also = [AlertFacts.model_validate(other.model_dump()) for other in others]
    return first.model_copy(update={"also": also})
