"""From changes of the Telemetry table to alerts, each transition once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mediarelay.alerts.contract import Alert, Evidence, Severity
from mediarelay.alerts.ports import AlertLog, AlertTopic
from mediarelay.alerts.texts import headline, what_to_do
from mediarelay.calendar.contract import CapabilityState
from mediarelay.health.contract import HealthRecord
from mediarelay.health.incident import Event
from mediarelay.health.judgement import Status
from mediarelay.health.records import has_news
from mediarelay.keys.contract import PoolState
from mediarelay.keys.ports import KeyStates
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable

# Only for annotations: most deployments set no budgets.
if TYPE_CHECKING:
    from mediarelay.budgets.contract import BudgetLevel

logger = logging.getLogger(__name__)

_TELLING: Final = frozenset({KeyStatus.REJECTED, KeyStatus.EXHAUSTED})


class AlertService:
    """Announces what operators should know."""

    def __init__(
        self,
        topic: AlertTopic,
        log: AlertLog,
        states: KeyStates,
        *,
        vendor_of: Callable[[str], str | None],
        queued: Callable[[], int],
        clock: Clock,
    ) -> None:
        """`vendor_of` maps a provider to its vendor; `queued` counts waiting requests (raises `StoreUnavailable`)."""
        self._topic = topic
        self._log = log
        self._states = states
        self._vendor_of = vendor_of
        self._queued = queued
        self._clock = clock

    def provider_changed(self, before: HealthRecord | None, after: HealthRecord) -> bool:
        """Publish the news in this write of a health record. Returns whether there was any.

        Raises:
            StoreUnavailable: The topic refused; the stream delivers the change again.
        """
        return has_news(before, after) and self._tell(self._provider_alert(after))

    def key_changed(self, before: KeyVerdict | None, after: KeyVerdict) -> bool:
        """Report a key that was rejected or an account out of quota, and its return. Returns whether there was news."""
        was = before.status if before is not None else KeyStatus.ACTIVE
        if after.status is was or not {after.status, was} & _TELLING:
            return False
        if after.status not in {*_TELLING, KeyStatus.ACTIVE}:
            return False
        return self._tell(_key_alert(was, before, after))

    def pool_changed(self, before: PoolState | None, after: PoolState) -> bool:
        """Tell of a vendor all of whose keys cool or whose entry can't be read, and of the end of it."""
        was = before.status if before is not None else "usable"
        return after.status != was and self._tell(_pool_alert(was, after))

    def capability_changed(self, before: CapabilityState | None, after: CapabilityState) -> bool:
        """Tell of a kind that too few vendors will serve, again with each weekly write, and of the end of it."""
        was = before.status if before is not None else "covered"
        if after.status == was == "covered":
            return False
        return self._tell(_capability_alert(was, after))

    def level_reached(self, level: BudgetLevel) -> bool:
        """Tell of a budget of which a part is used up for the first time in its day or month."""
        return self._tell(_budget_alert(level))

    def _tell(self, alert: Alert) -> bool:
        """Publish an alert, then note it: a worker that dies in between publishes it again, under the same id."""
        if self._log.has(alert.alert_id):
            return False
        self._topic.publish(alert)
        self._log.add(alert)
        logger.warning("alert", extra={"alert_id": alert.alert_id, "event": alert.event, "subject": alert.subject})
        return True

    def _provider_alert(self, record: HealthRecord) -> Alert:
        notice = record.incident.notice
        if notice is None:
            raise TypeError("a record without news has nothing to tell")
        subject = f"provider:{record.provider}"
        return Alert(
            alert_id=_alert_id(notice.at, subject, notice.number),
            incident_id=notice.incident_id,
            event=notice.event,
            subject=subject,
            severity=_severity(notice.status),
            provider=record.provider,
            status=notice.status,
            previous_status=notice.previous,
            at=notice.at,
            opened_at=notice.opened_at,
            summary=headline(
                notice.event,
                record.provider,
                notice.status,
                seconds=notice.at - notice.opened_at,
                suppressed=notice.suppressed,
            ),
            reason=record.reason,
            what_to_do=what_to_do(notice.status, notice.event),
            evidence=self._evidence(record, notice.suppressed),
        )

    def _evidence(self, record: HealthRecord, suppressed: int) -> Evidence:
        figures = record.model_dump(include=set(Evidence.model_fields)) | {"suppressed": suppressed}
        vendor = self._vendor_of(record.provider)
        try:
            verdicts = self._states.load(vendor) if vendor is not None else []
            figures["queued_requests"] = self._queued()
        except StoreUnavailable as error:
            logger.warning("alert with less evidence", extra={"store": error.store, "reason": error.reason})
            return Evidence.model_validate(figures)
        now = self._clock.now()
        holding = [verdict.status for verdict in verdicts if verdict.deadline > now]
        figures["cooling_keys"] = holding.count(KeyStatus.COOLING)
        figures["benched_keys"] = sum(status.severity > KeyStatus.COOLING.severity for status in holding)
        return Evidence.model_validate(figures)


def _severity(status: Status) -> Severity:
    return {Status.DOWN: Severity.CRITICAL, Status.DEGRADED: Severity.WARNING}.get(status, Severity.INFO)


def _key_alert(was: KeyStatus, before: KeyVerdict | None, after: KeyVerdict) -> Alert:
    subject = f"account:{after.vendor}:{after.account}" if after.spreads else f"key:{after.vendor}:{after.key_id}"
    subject += f":{after.provider}" if after.provider else ""
    over = after.status is KeyStatus.ACTIVE
    event = Event.RESOLVED if over else Event.OPENED if was not in _TELLING else Event.CHANGED
    opened_at = before.observed_at if before is not None and was in _TELLING else after.observed_at
    return Alert(
        alert_id=_alert_id(after.observed_at, subject, 1),
        incident_id=f"{subject}@{round(opened_at * 1000)}",
        event=event,
        subject=subject,
        severity=Severity.INFO if over else Severity.WARNING,
        provider=after.provider,
        vendor=after.vendor,
        key_id=after.key_id,
        status=after.status,
        previous_status=was,
        at=after.observed_at,
        opened_at=opened_at,
        summary=headline(event, subject, after.status, seconds=after.observed_at - opened_at, suppressed=0),
        reason=f"the vendor said {after.code}" if not over else "a call with it succeeded",
        what_to_do=what_to_do(after.status, event),
    )


def _pool_alert(was: str, after: PoolState) -> Alert:
    event = _change(was, after.status, usual="usable", going_on=Event.CHANGED)
    subject, lasted = f"the key pool of {after.vendor}", after.at - after.since
    return Alert(
        **_watched(f"pool:{after.vendor}", was, after, event, Severity.CRITICAL),
        vendor=after.vendor,
        summary=headline(event, subject, after.status, seconds=lasted, suppressed=0),
        reason=after.fault or f"{after.usable} of {after.keys} keys can be used",
        what_to_do=what_to_do(after.status, event),
        evidence=Evidence(cooling_keys=after.keys - after.usable),
    )


def _budget_alert(level: BudgetLevel) -> Alert:
    subject = f"budget:{level.payer}"
    severities = {50: Severity.INFO, 80: Severity.WARNING}
    status = f"{level.level}_percent"
    return Alert(
        alert_id=_alert_id(level.at, f"{subject}:{level.window}", level.level),
        incident_id=f"{subject}@{level.window}",
        event=Event.OPENED,
        subject=subject,
        severity=severities.get(level.level, Severity.CRITICAL),
        status=status,
        previous_status="within",
        at=level.at,
        opened_at=level.at,
        summary=f"{level.level} % of the budget of {level.payer} for {level.window} is used up",
        reason=f"${level.used_usd:.2f} of ${level.most_usd:.2f} is spent or set aside",
        what_to_do=what_to_do("budget", Event.OPENED),
    )


def _capability_alert(was: str, after: CapabilityState) -> Alert:
    event = _change(was, after.status, usual="covered", going_on=Event.DIGEST)
    over, what = event is Event.RESOLVED, f"{after.kind} ({', '.join(after.forms)})"
    return Alert(
        **_watched(f"capability:{after.kind}", was, after, event, Severity.WARNING),
        summary=f"{after.kind} has two vendors or more again" if over else f"fewer than two vendors for {what}",
        reason=after.reason or "every format and type of it has two vendors with keys for the next ninety days",
        what_to_do=" ".join(filter(None, (after.advice, what_to_do(after.status, event)))),
    )


def _change(was: str, status: str, *, usual: str, going_on: Event) -> Event:
    if status == usual:
        return Event.RESOLVED
    return Event.OPENED if was == usual else going_on


def _watched(
    subject: str, was: str, after: PoolState | CapabilityState, event: Event, severity: Severity
) -> dict[str, Any]:
    """Return what the alerts of all that the sweep watches have in common."""
    return {
        "alert_id": _alert_id(after.at, subject, 1),
        "incident_id": f"{subject}@{round(after.since * 1000)}",
        "event": event,
        "subject": subject,
        "severity": Severity.INFO if event is Event.RESOLVED else severity,
        "status": after.status,
        "previous_status": was,
        "at": after.at,
        "opened_at": after.since,
    }


def _alert_id(at: float, subject: str, number: int) -> str:
    return f"{round(at * 1000):013d}:{subject}:{number}"
