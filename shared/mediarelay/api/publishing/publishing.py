"""Requests by HTTP: onto the queue with a note that they are there, looked up by their ids, and cancelled."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from mediarelay.api.access import FORBIDDEN, NOT_FOUND, PREFIX, Caller
from mediarelay.api.contract import AuditEntry, JobView
from mediarelay.api.ports import AuditLog
from mediarelay.api.problem import Problem
from mediarelay.api.publishing.contract import Ended, Found, Published, TakenRequest
from mediarelay.api.publishing.ports import JobNotes, Outbox, Outgoing
from mediarelay.api.tokens import Role
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import RECORD_SECONDS, deadline_of, fingerprint_of, job_key
from mediarelay.request.model import MediaRequest
from mediarelay.request.parsing import Cancellation, parse_message
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus

logger = logging.getLogger(__name__)

# A function's answer and its event have 6 MB between them (Lambda quotas); ten of these fit SQS's 1 MiB with room.
BODY_LIMIT: Final = 100 * 1024
CONFLICT: Final = "idempotency_conflict"
NOT_CANCELLABLE: Final = "not_cancellable"
NO_REASON: Final = "reason_required"
_ID_CHARACTERS: Final = 26


class _Asked(NamedTuple):
    """A request that is good, with the id that it is published under; None where the message's is to be it."""

    request: MediaRequest
    body: str
    request_id: str | None


class PublishingService:
    """Every method raises `StoreUnavailable`, and `RequestRejected` for what is not to be served."""

    def __init__(
        self,
        outbox: Outbox,
        notes: JobNotes,
        audit: AuditLog,
        *,
        view: Callable[..., JobView],
        callback_hosts: Sequence[str] = (),
        clock: Clock,
    ) -> None:
        """`view` returns a record as the API shows it, with `links` or without; callbacks may go to these hosts."""
        self._outbox = outbox
        self._notes = notes
        self._audit = audit
        self._view = view
        self._callback_hosts = callback_hosts
        self._clock = clock

    def publish(self, wanted: Sequence[Mapping[str, Any]], caller: Caller, key: str | None) -> Sequence[Published]:
        """Put requests on the queue in one call; nothing where one of them is not good.

        What is there already under its id is not published again. The note that it is on the queue may fail.
        """
        many, hosts = len(wanted) > 1, self._callback_hosts
        asked = [_asked(each, caller, key, at, many=many, hosts=hosts) for at, each in enumerate(wanted)]
        keys = {at: job_key(each.request_id, each.request.tenant) for at, each in enumerate(asked) if each.request_id}
        before = self._notes.load(list(keys.values())) if keys else {}
        answers = [self._known(each, before) for each in asked]
        firsts: dict[str, MediaRequest] = {}
        for at, key_of_job in keys.items():
            first = firsts.setdefault(key_of_job, asked[at].request)
            if fingerprint_of(first) != fingerprint_of(asked[at].request):
                answers[at] = _conflict(asked[at])
        new = [at for at, answer in enumerate(answers) if answer is None]
        sent = self._outbox.send([Outgoing(asked[at].body, asked[at].request.tenant) for at in new]) if new else ()
        for at, message_id in zip(new, sent, strict=True):
            answers[at] = self._noted(asked[at], message_id) if message_id else Published(error=_NOT_TAKEN)
        return [answer for answer in answers if answer is not None]

    def lookup(self, ids: Sequence[str], tenant: str | None, *, caller: Caller) -> Found:
        """Return what became of requests; those of another tenant than a publisher's are missing."""
        whose = caller.of_tenant(tenant)
        keys = {each: job_key(each, whose) for each in dict.fromkeys(ids)}
        found = dict(self._notes.load(list(keys.values())))
        found = {key: record for key, record in found.items() if caller.tenant in (None, record.tenant)}
        branches = [f"{key}#{name}" for key, record in found.items() for name in record.branches]
        found |= self._notes.load(branches) if branches else {}
        missing = [each for each, key in keys.items() if key not in found]
        links = caller.role is not Role.VIEWER
        return Found(jobs=[self._view(record, links=links) for record in found.values()], missing=missing)

    def cancel(self, request_id: str, tenant: str | None, reason: str | None, caller: Caller) -> tuple[bool, Ended]:
        """Ask for the end of a request's jobs. Returns whether that is under way, and where the first of them stands.

        It is dispatch that ends them, in the order of the queue.
        """
        whose = caller.of_tenant(tenant)
        if caller.tenant is None and not reason:
            raise RequestRejected(NO_REASON, "reason: say why, as the audit does")
        found = self.lookup([request_id], whose, caller=caller).jobs
        if not found:
            raise RequestRejected(NOT_FOUND, f"there is no job of request {request_id}")
        open_ones = [job for job in found if not job.status.settled and not job.branches]
        if not open_ones:
            return False, Ended(status=found[-1].status)
        now = round(self._clock.now() * 1000)
        if all(_served(job, now) for job in open_ones):
            raise RequestRejected(NOT_CANCELLABLE, f"a worker serves {request_id} at this moment")
        if caller.tenant is None:
            facts = {"author": caller.name, "action": "job.cancel", "subject": found[0].request_id, "reason": reason}
            self._audit.add(AuditEntry(at=now / 1000, before=str(open_ones[0].status), after="cancelled", **facts))
        wish = {"cancel": request_id} | ({"tenant": whose} if whose else {})
        if self._outbox.send([Outgoing(json.dumps(wish), whose)]) == [None]:
            raise StoreUnavailable("request queue", "take a cancellation", "it was refused")
        return True, Ended(status=open_ones[0].status)

    def _known(self, asked: _Asked, before: Mapping[str, JobRecord]) -> Published | None:
        """Return what is there already under the id; None where that is nothing, was rejected, or is a cancellation
        that waits for this request: it is the queue's to say whether it is served.
        """
        key = job_key(asked.request_id or "", asked.request.tenant)
        record = before.get(key)
        if record is None or record.status is JobStatus.REJECTED or record.awaits_request:
            return None
        if record.fingerprint != fingerprint_of(asked.request):
            return _conflict(asked)
        return Published(taken=_taken(asked.request_id or "", key, record.status, asked.request.tenant))

    def _noted(self, asked: _Asked, message_id: str) -> Published:
        request, now = asked.request, round(self._clock.now() * 1000)
        request_id = asked.request_id or message_id
        key, ends_at = job_key(request_id, request.tenant), deadline_of(request, now)
        record = JobRecord(
            request_id=key,
            status=JobStatus.QUEUED,
            kind=request.kind,
            fingerprint=fingerprint_of(request),
            received_at=now,
            expires_at=ends_at,
            ttl=ends_at + RECORD_SECONDS,
            tenant=request.tenant,
            metadata=dict(request.metadata),
            message_id=message_id,
            client=request.client,
            reply_to=request.reply_to,
            callback_url=request.callback_url,
            callback_body=request.callback_body,
        )
        try:
            self._notes.note(record)
        except StoreUnavailable as error:
            logger.warning("on the queue, and not noted: %s", error, extra={"request_id": key})
        return Published(taken=_taken(request_id, key, JobStatus.QUEUED, request.tenant))


_NOT_TAKEN: Final = Problem(code="not_taken", message="the queue refused it; publish it again", retryable=True)


def _asked(
    wanted: Mapping[str, Any], caller: Caller, key: str | None, at: int, *, many: bool, hosts: Sequence[str]
) -> _Asked:
    """Read one request as the queue would. Raises `RequestRejected` in its words, with its number among several."""
    where = f"{at}: " if many else ""
    fields = dict(wanted)
    if key is not None and fields.get("request_id") is None:
        fields["request_id"] = _id_of(caller, key, at)
    if caller.tenant is not None and fields.get("tenant") is None:
        fields["tenant"] = caller.tenant
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    if len(body.encode("utf-8", "surrogatepass")) > BODY_LIMIT:
        raise RequestRejected("too_large", f"{where}the request is larger than {BODY_LIMIT} bytes; publish it by SQS")
    try:
        request = parse_message(body, hosts)
    except RequestRejected as rejected:
        raise RequestRejected(rejected.code, f"{where}{rejected.message}") from None
    if isinstance(request, Cancellation):
        raise RequestRejected("invalid_request", f"{where}cancel: DELETE the job instead")
    if fields.get("request_id") not in (None, request.request_id):
        raise RequestRejected("invalid_request", f"{where}Message: publish it without its envelope, which has no id")
    if caller.tenant not in (None, request.tenant):
        raise RequestRejected(FORBIDDEN, f"{where}tenant: another one than the token's")
    return _Asked(request, body, request.request_id)


def _conflict(asked: _Asked) -> Published:
    message = f"request_id: {asked.request_id} is of another request"
    return Published(error=Problem(code=CONFLICT, message=message))


def _id_of(caller: Caller, key: str, at: int) -> str:
    """Return the id that a caller's key stands for: the same for the same key, and nobody else's."""
    digest = hashlib.sha256(json.dumps([caller.name, key, at]).encode()).digest()
    return f"h-{base64.b32encode(digest).decode().lower()[:_ID_CHARACTERS]}"


def _taken(request_id: str, key: str, status: JobStatus, tenant: str | None) -> TakenRequest:
    own = f"{PREFIX}/jobs/{request_id}" + (f"?tenant={tenant}" if tenant else "")
    return TakenRequest(request_id=request_id, job=key, status=status, links={"self": own})


def _served(job: JobRecord, now: int) -> bool:
    """Tell whether a worker serves it at this moment, which can't be stopped."""
    running = job.status is JobStatus.RUNNING and job.claim_id is not None and job.parts_total is None
    return running and (job.lease_until or 0) > now
