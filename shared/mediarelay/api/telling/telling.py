"""How a job ended, told once more: to subscribers under the event's own id, or to the publisher's server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mediarelay.announce.announcing import AnnounceService
from mediarelay.announce.contract import ResultEvent
from mediarelay.api.access import NOT_FOUND, Caller
from mediarelay.api.contract import AuditEntry
from mediarelay.api.ports import AuditLog
from mediarelay.api.publishing.ports import JobNotes
from mediarelay.api.telling.contract import TellOrder, ToldAgain
from mediarelay.callbacks.ports import CallbackQueue
from mediarelay.job_records.job_spec import job_key
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable

NOT_ENDED: Final = "not_ended"
NO_CALLBACK: Final = "no_callback"
_ACTIONS: Final = {"subscribers": "event.resend", "callback": "callback.replay"}


class TellingService:
    """Every method raises `StoreUnavailable`, and `RequestRejected` for what is not to be told."""

    def __init__(
        self,
        announce: AnnounceService,
        callbacks: CallbackQueue | None,
        jobs: JobNotes,
        audit: AuditLog,
        *,
        clock: Clock,
    ) -> None:
        """Without `callbacks` nobody may be called back."""
        self._announce = announce
        self._callbacks = callbacks
        self._jobs = jobs
        self._audit = audit
        self._clock = clock

    def tell(self, request_id: str, tenant: str | None, order: TellOrder, caller: Caller) -> ToldAgain:
        """Tell once more how the jobs of a request ended, noted in the audit before; links are signed anew."""
        events = self._events(request_id, tenant)
        if order.whom == "callback":
            events = [event for event in events if event.callback is not None]
            if self._callbacks is None or not events:
                raise RequestRejected(NO_CALLBACK, f"{request_id} asked for no callback, or nobody may be called back")
            self._note(events, order, caller)
            for event in events:
                at = round(self._clock.now() * 1000)
                self._callbacks.replay(event.model_dump_json(), thin=event.callback == "thin", at=at)
        else:
            self._note(events, order, caller)
            if self._announce.announce(events) < len(events):
                raise StoreUnavailable("results topic", "take events", "it refused some")
        return ToldAgain(event_ids=[event.event_id for event in events])

    def _note(self, events: Sequence[ResultEvent], order: TellOrder, caller: Caller) -> None:
        facts = {"author": caller.name, "action": _ACTIONS[order.whom], "reason": order.reason}
        for event in events:
            self._audit.add(AuditEntry(at=self._clock.now(), subject=event.job_id, before=str(event.status), **facts))

    def _events(self, request_id: str, tenant: str | None) -> list[ResultEvent]:
        """Returns the ends of a request's jobs, ten at most in one call of the topic."""
        found = dict(self._jobs.load([job_key(request_id, tenant)]))
        branches = [f"{key}#{name}" for key, record in found.items() for name in record.branches]
        found |= self._jobs.load(branches) if branches else {}
        if not found:
            raise RequestRejected(NOT_FOUND, f"there is no job of request {request_id}")
        events = [self._announce.event_of(None, record) for record in found.values() if not record.branches]
        ended = [event for event in events if event is not None]
        if not ended:
            raise RequestRejected(NOT_ENDED, f"{request_id} has not ended")
        return ended
