"""From changes of the Telemetry table to alerts, each transition once."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from mediarelay.alerts.contract import Alert, Evidence, Severity
from mediarelay.alerts.pairing import IncidentState, together
from mediarelay.alerts.ports import AlertLog, AlertTopic, IncidentStates
from mediarelay.alerts.texts import headline, what_to_do
from mediarelay.calendar.contract import CapabilityState
from mediarelay.health.contract import HealthRecord
from mediarelay.health.incident import UNWATCHED, Event
from mediarelay.health.judgement import Status
from mediarelay.health.records import has_news
from mediarelay.keys.contract import PoolState
from mediarelay.keys.ports import KeyStates, PoolStates
from mediarelay.keys.states import UNWATCHED_CODE, KeyStatus, KeyVerdict
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: most deployments set no budgets.
if TYPE_CHECKING:
    from mediarelay.budgets.contract import BudgetLevel
    from mediarelay.health.ports import HealthStore
    from mediarelay.limits.contract import LimitReport
    from mediarelay.limits.ports import LimitReports

logger = logging.getLogger(__name__)

# Incidents of one vendor that begin or end within so many seconds after the first are one message.
TOGETHER_SECONDS: Final = 60.0
# What is open and was not heard of for so long is asked for: its end may have been lost.
LOST_SECONDS: Final = 120.0
# Writers of one subject are its stream and the minute's look.
TRIES: Final = 8
_DASHES_OF_A_DAY: Final = 2
# A pool may have hundreds of accounts; the first tell what is to be done.
REASON_CHARACTERS: Final = 400
_TELLING: Final = frozenset({KeyStatus.REJECTED, KeyStatus.EXHAUSTED})


@frozen
class Sources:
    """Where what alerts are made of stands: asked where a change may have been lost, the last two made for that."""

    states: KeyStates
    pools: PoolStates
    records: Callable[[], HealthStore]
    limits: Callable[[], LimitReports]


class AlertService:
    """Announces what operators should know."""

    def __init__(
        self,
        topic: AlertTopic,
        log: AlertLog,
        incidents: IncidentStates,
        sources: Sources,
        *,
        vendor_of: Callable[[str], str | None],
        queued: Callable[[], int],
        clock: Clock,
    ) -> None:
        """`vendor_of` maps a provider to its vendor; `queued` counts waiting requests (raises `StoreUnavailable`)."""
        self._topic = topic
        self._log = log
        self._incidents = incidents
        self._sources = sources
        self._states = sources.states
        self._vendor_of = vendor_of
        self._queued = queued
        self._clock = clock

    def provider_changed(self, before: HealthRecord | None, after: HealthRecord) -> bool:
        """Publish the news in this write of a health record. Returns whether there was any.

        Raises:
            StoreUnavailable: The topic refused; the stream delivers the change again.
        """
        notice = after.incident.notice
        if notice is None or not has_news(before, after):
            return False
        return self._tell(self._provider_alert(after), notice.number)

    def key_changed(self, before: KeyVerdict | None, after: KeyVerdict) -> bool:
        """Report a key that was rejected or an account out of quota, and its return. Returns whether there was news."""
        was = before.status if before is not None else KeyStatus.ACTIVE
        if after.by_operator or after.status not in {*_TELLING, KeyStatus.ACTIVE}:
            return False
        # What was in between, such as a key that cools, was no news: whether something is open is known elsewhere.
        return (after.status is KeyStatus.ACTIVE or after.status is not was) and self._tell(
            _key_alert(was, before, after)
        )

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
        """Tell of a budget of which a part is used up for the first time in its day or month, which ends with that."""
        # Imported here: most deployments set no budgets.
        from mediarelay.budgets.windows import next_day, next_month  # noqa: PLC0415

        report = _budget_alert(level)
        ends_at = next_day(level.at) if level.window.count("-") == _DASHES_OF_A_DAY else next_month(level.at)
        return self._tell(report, level.level, subject=f"{report.subject}@{level.window}", ends_at=ends_at)

    def limits_changed(self, before: LimitReport | None, after: LimitReport) -> bool:
        """Tell of a provider that allows less than was declared, and of the end of it."""
        was = before.status if before is not None else "as_declared"
        return after.status != was and self._tell(_limit_alert(was, after))

    def look_after(self) -> None:
        """Once a minute: tell what had to wait, each vendor's in one message, and what a lost worker left behind."""
        now = self._clock.now()
        waiting: dict[str, list[IncidentState]] = defaultdict(list)
        known = self._incidents.load()
        lost = [
            state
            for state in known
            if state.open and state.sending is None and state.heard and now - state.heard.at > LOST_SECONDS
        ]
        for state in lost:
            self._ask_again(state)
        for state in self._incidents.load() if lost else known:
            ended = state.ended(now)
            if ended.due() is not None:
                waiting[ended.group or ended.subject].append(ended)
        for states in waiting.values():
            self._publish(states)

    def _tell(self, report: Alert, number: int = 1, *, subject: str = "", ends_at: float | None = None) -> bool:
        """Tell what a report changes for people, now or with others of its vendor. Returns whether it was told now."""
        subject = subject or report.subject
        for _ in range(TRIES):
            known = self._incidents.get(subject) or self._new(subject, report)
            left = known.sending
            if left is not None:
                self._publish([known])
                if left.alert_id == report.alert_id:
                    return True
                continue
            state = known.hears(report, number)
            if ends_at is not None and state is not known:
                state = state.model_copy(update={"ends_at": ends_at})
            message = state.due()
            if message is not None and self._may_speak(state, message):
                if self._publish([state]):
                    return True
            elif state is known or self._incidents.save(state, now=self._clock.now()):
                return False
        raise StoreUnavailable("telemetry table", "tell of an incident", "too many writers at once")

    def _ask_again(self, state: IncidentState) -> None:
        """Hear once more how an open subject stands: the stream gives up what could not be told for an hour."""
        kind, _, name = state.subject.partition(":")
        if kind == "provider" and (record := self._sources.records().get(name)) and record.incident.notice:
            self._tell(self._provider_alert(record), record.incident.notice.number)
        elif kind == "pool" and (pool := self._sources.pools.load().get(name)):
            self._tell(_pool_alert(pool.status, pool))
        elif kind == "limit" and (report := self._sources.limits().load().get(name)):
            self._tell(_limit_alert(report.status, report))
        elif kind in ("key", "account") and state.group is not None:
            for verdict in self._states.load(state.group):
                if not verdict.by_operator and subject_of(verdict) == state.subject:
                    self.key_changed(None, verdict)

    def _new(self, subject: str, report: Alert) -> IncidentState:
        vendor = report.vendor or (self._vendor_of(report.provider) if report.provider else None)
        return IncidentState(subject=subject, group=vendor)

    def _may_speak(self, state: IncidentState, message: Alert) -> bool:
        """Tell whether it is told at once: the first of its vendor within a minute, beginnings and ends apart."""
        if state.group is None:
            return True
        topic = f"{state.group}:{'over' if message.event is Event.RESOLVED else 'open'}"
        return self._incidents.claim(topic, now=self._clock.now(), seconds=TOGETHER_SECONDS)

    def _publish(self, states: Sequence[IncidentState]) -> bool:
        """Publish what is due of these in one message: written down before, confirmed after. Returns False when another
        writer was faster with all of them.

        Raises:
            StoreUnavailable: The topic refused; what is written down is told by whoever comes by.
        """
        sending: list[IncidentState] = []
        for state in states:
            message = state.due()
            if message is None:
                continue
            if state.sending is not None:
                sending.append(state)
                continue
            reserved = state.sends(message)
            if self._incidents.save(reserved, now=self._clock.now()):
                sending.append(reserved.model_copy(update={"version": reserved.version + 1}))
        if not sending:
            return False
        alert = together([state.sending for state in sending if state.sending is not None])
        self._topic.publish(alert)
        self._log.add(alert)
        for each in (alert, *alert.also):
            logger.warning("alert", extra={"alert_id": each.alert_id, "event": each.event, "subject": each.subject})
        for state in sending:
            self._incidents.save(state.sent(), now=self._clock.now())
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
                UNWATCHED if record.reason == UNWATCHED else notice.status,
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


def subject_of(verdict: KeyVerdict) -> str:
    """Return what alerts call the key or account that a verdict is about."""
    who = f"account:{verdict.vendor}:{verdict.account}" if verdict.spreads else f"key:{verdict.vendor}:{verdict.key_id}"
    return f"{who}:{verdict.provider}" if verdict.provider else who


def _key_alert(was: KeyStatus, before: KeyVerdict | None, after: KeyVerdict) -> Alert:
    subject = subject_of(after)
    over, gone = after.status is KeyStatus.ACTIVE, after.code == UNWATCHED_CODE
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
        summary=headline(
            event, subject, UNWATCHED if gone else after.status, seconds=after.observed_at - opened_at, suppressed=0
        ),
        reason="it is no longer in the secret"
        if gone
        else "a call with it succeeded"
        if over
        else f"the vendor said {after.code}",
        what_to_do=what_to_do(after.status, event),
    )


def _pool_alert(was: str, after: PoolState) -> Alert:
    event = _change(was, after.status, usual="usable", going_on=Event.CHANGED)
    subject, lasted = f"the key pool of {after.vendor}", after.at - after.since
    return Alert(
        **_watched(f"pool:{after.vendor}", was, after, event, Severity.CRITICAL),
        vendor=after.vendor,
        summary=headline(event, subject, after.status if after.keys else UNWATCHED, seconds=lasted, suppressed=0)
        if event is Event.RESOLVED
        else headline(event, subject, after.status, seconds=lasted, suppressed=0),
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


def _limit_alert(was: str, after: LimitReport) -> Alert:
    event = _change(was, after.status, usual="as_declared", going_on=Event.CHANGED)
    declared = sum(each.declared_per_minute for each in after.lower)
    measured = sum(each.measured_per_minute for each in after.lower)
    each = [f"{one.account}: {one.measured_per_minute:.3g} of {one.declared_per_minute:.3g}" for one in after.lower]
    facts = {"declared_per_minute": round(declared, 3), "measured_per_minute": round(measured, 3)}
    return Alert(
        **_watched(f"limit:{after.provider}", was, after, event, Severity.WARNING),
        provider=after.provider,
        vendor=after.vendor,
        summary=f"{after.provider} allows less than is declared: {measured:.3g} calls a minute of {declared:.3g}"
        if after.lower
        else f"the limits of {after.provider} are as declared again",
        reason=f"calls a minute, measured of declared, by account: {', '.join(each)}"[:REASON_CHARACTERS]
        if after.lower
        else after.reason,
        what_to_do=what_to_do(after.status, event),
        evidence=Evidence(**facts) if after.lower else Evidence(),
    )


def _change(was: str, status: str, *, usual: str, going_on: Event) -> Event:
    if status == usual:
        return Event.RESOLVED
    return Event.OPENED if was == usual else going_on


def _watched(
    subject: str, was: str, after: PoolState | CapabilityState | LimitReport, event: Event, severity: Severity
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
