"""From what the topics say to where it is wanted besides: a bus, a chat, PagerDuty, each whatever the others do."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from mediarelay.events.cloudevents import cloud_event
from mediarelay.events.ports import BusEvent, ChatTopic, EventBus, EventsQueue, Pager, ToldMessage
from mediarelay.health.incident import Event
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable
from mediarelay.vocabulary.frozen import frozen

# Only for annotations: results are no alerts.
if TYPE_CHECKING:
    from mediarelay.alerts.contract import Alert, AlertFacts
    from mediarelay.alerts.ports import IncidentStates

logger = logging.getLogger(__name__)

BUS: Final = "bus"
CHAT: Final = "chat"
PAGER: Final = "pager"
# PagerDuty asks for minutes after a 429 or 5xx. The longest is SQS's own bound of a delay; the sum is four hours.
DELAYS: Final = (5, 60, 300, *(900,) * 15)


@frozen
class Outlets:
    """Where events go; None for nowhere."""

    bus: EventBus | None = None
    chat: ChatTopic | None = None
    pager: Pager | None = None


class ForwardingService:
    """Sends on what the topics say."""

    def __init__(
        self, outlets: Outlets, queue: EventsQueue, incidents: Callable[[], IncidentStates], *, stage: str, console: str
    ) -> None:
        """`console` is the address of the page; `incidents` are made for the first alert that pages somebody."""
        self._outlets = outlets
        self._queue = queue
        self._incidents = incidents
        self._stage = stage
        self._console = console

    def forward(self, messages: Sequence[ToldMessage]) -> list[str]:
        """Send ten at most on. Returns the ids of those that are to come again as they are."""
        read = [(message, self._read(message)) for message in messages]
        missed = self._to_bus(read)
        failed = []
        for message, body in read:
            left = missed.get(message.message_id, frozenset()) | self._to_people(message, body)
            if left and not self._kept(message, left):
                failed.append(message.message_id)
        return failed

    def _read(self, message: ToldMessage) -> dict[str, Any]:
        try:
            body = json.loads(message.body)
        except ValueError:
            body = None
        if isinstance(body, dict):
            return body
        logger.warning("no event", extra={"message_id": message.message_id})
        return {}

    def _to_bus(self, read: Sequence[tuple[ToldMessage, dict[str, Any]]]) -> dict[str, frozenset[str]]:
        """Returns what did not get there, by the message."""
        bus = self._outlets.bus
        if bus is None:
            return {}
        events = {}
        for message, body in read:
            if (found := cloud_event(body, self._stage)) is not None and _wanted(message, BUS):
                title, event = found
                events[message.message_id] = BusEvent(f"mediarelay.{self._stage}", title, json.dumps(event))
        if not events:
            return {}
        try:
            taken = bus.put(list(events.values()))
        except StoreUnavailable as error:
            logger.warning("events not put: %s", error)
            taken = [False] * len(events)
        return {each: frozenset({BUS}) for each, ok in zip(events, taken, strict=True) if not ok}

    def _to_people(self, message: ToldMessage, body: dict[str, Any]) -> frozenset[str]:
        """Returns where an alert did not get to."""
        if "alert_id" not in body or not (self._outlets.chat or self._outlets.pager):
            return frozenset()
        from mediarelay.alerts.contract import Alert  # noqa: PLC0415 # most messages are results

        alert = Alert.model_validate(body)
        ways: dict[str, Callable[[Alert], bool]] = {}
        if self._outlets.chat is not None:
            ways[CHAT] = self._chatted
        if self._outlets.pager is not None:
            ways[PAGER] = self._paged
        return frozenset(name for name, send in ways.items() if _wanted(message, name) and not self._sent(send, alert))

    def _sent(self, send: Callable[[Alert], bool], alert: Alert) -> bool:
        try:
            return send(alert)
        except (StoreUnavailable, Unreachable) as error:
            logger.warning("alert not sent on: %s", error, extra={"alert_id": alert.alert_id})
            return False

    def _chatted(self, alert: Alert) -> bool:
        from mediarelay.events.chat import notification  # noqa: PLC0415 # as above

        if self._outlets.chat is not None:
            self._outlets.chat.publish(notification(alert, self._stage, self._console))
        return True

    def _paged(self, alert: Alert) -> bool:
        from mediarelay.events.pagerduty import pager_event  # noqa: PLC0415 # as above

        done = True
        for fact in (alert, *alert.also):
            # One that comes late would open a new alert there.
            if fact.event is not Event.RESOLVED and self._is_over(fact):
                continue
            again = self._outlets.pager is not None and self._outlets.pager.send(
                pager_event(fact, self._stage, self._console)
            )
            done = done and not again
        return done

    def _is_over(self, fact: AlertFacts) -> bool:
        """Tell whether people know of the end of an incident, or of a later one."""
        state = self._incidents().get(fact.subject)
        if state is None or state.sending is not None:
            return False
        return not state.open or state.incident_id != fact.incident_id

    def _kept(self, message: ToldMessage, left: frozenset[str]) -> bool:
        """Tell whether what is left of it is on its queue again, or given up."""
        facts = {"message_id": message.message_id, "left": sorted(left), "tries": message.tries + 1}
        try:
            if message.tries < len(DELAYS):
                self._queue.again(message, left=left, seconds=DELAYS[message.tries])
            else:
                logger.error("event given up", extra=facts)
                self._queue.park(message, left=left)
        except StoreUnavailable as error:
            logger.warning("event comes again as it is: %s", error, extra=facts)
            return False
        return True


def _wanted(message: ToldMessage, name: str) -> bool:
    return message.left is None or name in message.left
