"""Dead letters by class of failure: counted, and moved back to the request queue where nothing was bought for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mediarelay.api.access import NOT_FOUND, Caller
from mediarelay.api.contract import AuditEntry
from mediarelay.api.dead_letters.contract import DeadLetter, DeadLetterClass, DeadLetterList, Redriven, RedriveOrder
from mediarelay.api.dead_letters.ports import DeadLetterQueue
from mediarelay.api.ports import AuditLog
from mediarelay.api.publishing.ports import JobNotes
from mediarelay.dispatch.ports import QueueMessage
from mediarelay.job_records.job_spec import RECORD_SECONDS, job_key, perhaps_paid
from mediarelay.request.parsing import Cancellation, parse_message, salvage
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import RequestRejected

# As `dispatch.dispatch` writes them, which brings all that serves along.
REQUEST_ID_ATTRIBUTE: Final = "mediarelay_request_id"
SENT_AT_ATTRIBUTE: Final = "mediarelay_sent_at"
REDRIVEN_BY: Final = "redriven_by"
_CAUSE: Final = frozenset({"error_code", "error_message"})
NO_CODE: Final = "none"
SEVERAL_TENANTS: Final = "several_tenants"
# Of messages, for one of them.
LOOKED_THROUGH: Final = 1000


class RedriveService:
    """Every method raises `StoreUnavailable`."""

    def __init__(self, queue: DeadLetterQueue, jobs: JobNotes, audit: AuditLog, *, clock: Clock) -> None:
        self._queue = queue
        self._jobs = jobs
        self._audit = audit
        self._clock = clock

    def classes(self, most: int, *, each: bool = False) -> DeadLetterList:
        """Return what is in the queue by its code, of so many messages at most; and each of them, where asked for."""
        found = self._queue.look(most)
        self._queue.release(found)
        by_code: dict[str, list[QueueMessage]] = {}
        oldest_first = sorted(found, key=_published_at)
        for message in oldest_first:
            by_code.setdefault(_code(message), []).append(message)
        classes = [
            DeadLetterClass(
                code=code,
                count=len(those),
                oldest=_published_at(those[0]) / 1000,
                first=those[0].attributes.get("error_message", ""),
            )
            for code, those in sorted(by_code.items(), key=lambda item: -len(item[1]))
        ]
        return DeadLetterList(
            now=self._clock.now(),
            looked_at=len(found),
            at_least=len(found) >= most,
            classes=classes,
            letters=[_letter(message) for message in oldest_first] if each else [],
        )

    def drop(self, request_id: str, tenant: str | None, reason: str, caller: Caller) -> None:
        """Delete the messages of a request, each noted in the audit before.

        Raises `RequestRejected` where there is none, and where several tenants have the id and none is named.
        """
        found = self._queue.look(LOOKED_THROUGH)
        its = [message for message in found if request_id in (_id(message), _name(message))]
        its = [message for message in its if tenant in (None, _tenant(message))]
        left = list(found)
        try:
            if len({_tenant(message) for message in its}) > 1:
                raise RequestRejected(SEVERAL_TENANTS, f"{request_id} is of several tenants: say which")
            for message in its:
                subject, code = job_key(_name(message), _tenant(message)), _code(message)
                facts = {"author": caller.name, "action": "dlq.drop", "subject": subject, "reason": reason}
                self._audit.add(AuditEntry(at=self._clock.now(), before=code, after="deleted", **facts))
                self._queue.drop(message)
                left.remove(message)
        finally:
            self._queue.release(left)
        if not its:
            raise RequestRejected(NOT_FOUND, f"no dead letter of request {request_id} is among those looked at")

    def redrive(self, order: RedriveOrder, caller: Caller) -> Redriven:
        """Move the messages of the class that is ordered; what was paid for, or may have been, stays.

        Each is noted in the audit before it is moved. What is not moved is seen again at once.
        """
        found = self._queue.look(order.limit)
        moved: list[str] = []
        paid: list[str] = []
        left = list(found)
        try:
            for message in found:
                if not self._matches(message, order):
                    continue
                if self._paid(message, renew=order.renew):
                    paid.append(_id(message))
                    continue
                if not order.dry_run:
                    self._move(message, order, caller)
                    left.remove(message)
                moved.append(_id(message))
        finally:
            self._queue.release(left)
        return Redriven(dry_run=order.dry_run, looked_at=len(found), moved=moved, paid_already=paid)

    def _matches(self, message: QueueMessage, order: RedriveOrder) -> bool:
        if order.code is not None and _code(message) != order.code:
            return False
        if order.older_than_seconds is not None:
            age = self._clock.now() - _published_at(message) / 1000
            if age < order.older_than_seconds:
                return False
        return order.provider is None or order.provider in _providers(message)

    def _paid(self, message: QueueMessage, *, renew: bool) -> bool:
        """Whether something was bought for any job of it, or may have been: by one whose record is gone by now, where a
        new deadline would have it bought again.
        """
        known = salvage(message.body)
        key = job_key(known.get("request_id", _id(message)), known.get("tenant"))
        records = dict(self._jobs.load([key], consistent=True))
        branches = [f"{key}#{name}" for record in records.values() for name in record.branches]
        records |= self._jobs.load(branches, consistent=True) if branches else {}
        if renew and not records and self._clock.now() - _published_at(message) / 1000 >= RECORD_SECONDS:
            return True
        return any(perhaps_paid(record.purchases) for record in records.values())

    def _move(self, message: QueueMessage, order: RedriveOrder, caller: Caller) -> None:
        identity = {REQUEST_ID_ATTRIBUTE: _id(message), REDRIVEN_BY: caller.name}
        if not order.renew:
            identity[SENT_AT_ATTRIBUTE] = str(_published_at(message))
        ours = {*identity, SENT_AT_ATTRIBUTE, *_CAUSE}
        others = {name: value for name, value in message.attributes.items() if name not in ours}
        entry = AuditEntry(
            at=self._clock.now(),
            author=caller.name,
            action="dlq.redrive",
            subject=_id(message),
            reason=order.reason,
            before=_code(message),
            after="on the request queue",
        )
        self._audit.add(entry)
        self._queue.move(replace(message, attributes=others), identity)


def _letter(message: QueueMessage) -> DeadLetter:
    return DeadLetter(
        request_id=_name(message),
        tenant=_tenant(message),
        code=_code(message),
        message=message.attributes.get("error_message", ""),
        published=_published_at(message) / 1000,
    )


def _code(message: QueueMessage) -> str:
    return message.attributes.get("error_code", NO_CODE)


def _id(message: QueueMessage) -> str:
    return message.attributes.get(REQUEST_ID_ATTRIBUTE, message.message_id)


def _name(message: QueueMessage) -> str:
    """Return the id by which its publisher knows it."""
    return str(salvage(message.body).get("request_id", _id(message)))


def _tenant(message: QueueMessage) -> str | None:
    return salvage(message.body).get("tenant")


def _published_at(message: QueueMessage) -> int:
    noted = message.attributes.get(SENT_AT_ATTRIBUTE, "")
    return int(noted) if noted.isdecimal() else message.sent_at


def _providers(message: QueueMessage) -> Sequence[str]:
    try:
        wanted = parse_message(message.body)
    except RequestRejected:
        return ()
    return () if isinstance(wanted, Cancellation) else wanted.providers or ()
