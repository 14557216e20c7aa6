"""Requests in OpenAI's shape: published as any other, waited for, and answered by a link to what was made.

Never 202, which both SDKs take for the result itself. And never bought twice: an SDK that tries again by itself sends
no key, so that each request leaves a note of the job it began, before it is published.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mediarelay.api.access import OPENAI_ACCESS, Caller, roles_of
from mediarelay.api.openai.answers import (
    FOUND,
    NO_SUCH_VIDEO,
    NOWHERE,
    POLL_MILLISECONDS,
    RETRY_SECONDS,
    SEE_OTHER,
    SERVER,
    STILL_RUNNING,
    TYPICAL_SECONDS,
    VIDEO,
    Answer,
    NotServed,
    failure,
    may_begin_anew,
    refusal,
    rejection,
    unsupported,
    video,
)
from mediarelay.api.openai.documents import write_pictures
from mediarelay.api.openai.reading import Sent, digest_of, fields_of
from mediarelay.api.openai.translating import Menu, images, listed, no_model, speech, videos
from mediarelay.job_records.job_spec import job_key
from mediarelay.request.bounds import OF_TENANT
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus, Kind

# Only for annotations: who asks for a list of models publishes nothing.
if TYPE_CHECKING:
    from mediarelay.api.listing.contract import ListedJob
    from mediarelay.api.listing.listing import ListingService
    from mediarelay.api.openai.ports import Markers
    from mediarelay.api.publishing.ports import JobNotes
    from mediarelay.api.publishing.publishing import PublishingService
    from mediarelay.job_records.contract import JobRecord
    from mediarelay.results.ports import LinkSigner, MediaStore
    from mediarelay.vocabulary.clock import Clock

logger = logging.getLogger(__name__)

# Three waits of an SDK, its two own tries included.
MARKER_SECONDS: Final = 15 * 60
_PAUSES: Final = (0.3, 0.5, 1.0, 1.0)
_LAST_PAUSE: Final = 2.0
_ID_BYTES: Final = 16
# OpenAI's own bounds of a list, and how many pages of ours may be looked through for one, where clips are rare.
DEFAULT_LISTED: Final = 20
MOST_LISTED: Final = 100
PAGES_READ: Final = 5
Translate = Callable[[Mapping[str, Any], Menu], dict[str, Any]]


class OpenAiStores(NamedTuple):
    """Everything that is read and written, and the queue."""

    publishing: Callable[[], PublishingService]
    notes: JobNotes
    markers: Markers
    media: MediaStore
    links: LinkSigner
    listing: Callable[[], ListingService]


class Job(NamedTuple):
    """The job of a request.

    Attributes:
        keyed: Whether the caller's key stands for it, so that the same request can never be another job.
        marked: Whether the SDK's next try finds it.
    """

    key: str
    request_id: str
    keyed: bool
    marked: bool


class OpenAiService:
    """Serves one request at a time."""

    def __init__(
        self, stores: OpenAiStores, menu: Callable[[], Menu], *, clock: Clock, dice: Callable[[int], bytes], wait: float
    ) -> None:
        """`menu` is read when it is first needed; `dice` returns so many random bytes; `wait` is in seconds."""
        self._stores = stores
        self._menu = menu
        self._clock = clock
        self._dice = dice
        self._wait = wait

    def answer(self, request: Sent, caller: Caller | None) -> Answer:
        """Answer anything that comes; `caller` is None where the token is not known."""
        try:
            return self._served(request, caller)
        except NotServed as refused:
            return refusal(refused)
        except RecursionError:  # of what is read, but too deep to be written again
            return refusal(NotServed(400, "invalid_request", "the body is nested too deeply"))
        except RequestRejected as rejected:
            return refusal(rejection(rejected.code, rejected.message))
        except StoreUnavailable as away:
            logger.warning("not served: %s", away)
            again = request.method == "GET" or request.attempt is not None or request.key is not None
            message = f"{away.store} is away; try again"
            return refusal(NotServed(503, "store_unavailable", message, type_=SERVER, again=again))

    def _served(self, request: Sent, caller: Caller | None) -> Answer:
        if caller is None:
            raise NotServed(401, "invalid_api_key", "the token is unknown or has expired")
        roles = roles_of(request.method, request.path, OPENAI_ACCESS, "")
        if roles is None:
            message = f"{request.method} {request.path[:100]} is not served here; see docs/http-api.md"
            raise NotServed(404, NOWHERE, message)
        if caller.role not in roles:
            raise NotServed(403, "permission_denied", f"this takes the role {' or '.join(sorted(roles))}")
        _, _, resource, *rest = request.path.split("/")
        match resource, rest:
            case "audio", _:
                return self._speech(request, caller)
            case "images", _:
                return self._pictures(request, caller)
            case "models", _:
                return self._models("/".join(rest))
            case _, []:
                return self._film(request, caller) if request.method == "POST" else self._clips(request, caller)
            case _, [id_]:
                return self._deleted(id_, caller) if request.method == "DELETE" else self._clip(id_, caller)
            case _, [id_, *_]:
                return self._content(id_, request, caller)
        raise AssertionError(request.path)  # a route of the table without a branch here

    # --- what is waited for -----------------------------------------------------------------------------------------

    def _speech(self, request: Sent, caller: Caller) -> Answer:
        _, job, record = self._made(request, caller, speech)
        return self._link(SEE_OTHER, record.outputs[0].key, job.request_id, record)

    def _pictures(self, request: Sent, caller: Caller) -> Answer:
        fields, job, record = self._made(request, caller, images)
        facts = {
            "created": (record.settled_at or record.received_at) // 1000,
            "output_format": record.outputs[0].content_type.removeprefix("image/"),
        }
        if fields.get("response_format") == "url":
            links = [{"url": self._stores.links.sign(output.key)[1]} for output in record.outputs]
            return Answer(200, {**facts, "data": links}, _headers(job.request_id, record))
        key = write_pictures(self._stores.media, record.outputs, facts)
        return self._link(SEE_OTHER, key, job.request_id, record)

    def _made(self, request: Sent, caller: Caller, translate: Translate) -> tuple[Mapping[str, Any], Job, JobRecord]:
        """Have it made. Returns what was asked for, and the job that succeeded."""
        fields = fields_of(request)
        job = self._begun(request, caller, fields, translate(fields, self._menu()))
        record = self._ended(job.key)
        if record is None:
            again = job.keyed or job.marked
            message = f"job {job.request_id} goes on; it is at api/v1/jobs/{job.request_id} of the API"
            after = RETRY_SECONDS if again else None
            late = NotServed(504, STILL_RUNNING, message, type_=SERVER, again=again, after=after)
            raise late.of(job.request_id)
        if record.status is not JobStatus.SUCCEEDED or not record.outputs:
            raise failure(record, renewable=not job.keyed)
        return fields, job, record

    def _ended(self, key: str) -> JobRecord | None:
        """Look until the job has ended; None when the time is over."""
        until = self._clock.now() + self._wait
        for pause in _pauses():
            try:
                record = self._record(key)
            except StoreUnavailable as away:
                logger.warning("looks again: %s", away, extra={"request_id": key})
                record = None
            if record is not None and record.status.settled:
                return record
            if self._clock.now() + pause > until:
                return None
            self._clock.sleep(pause)
        return None

    # --- beginning --------------------------------------------------------------------------------------------------

    def _begun(self, request: Sent, caller: Caller, fields: Mapping[str, Any], wanted: dict[str, Any]) -> Job:
        """Publish it, unless it is a repetition of what was begun before."""
        tenant = caller.of_tenant(wanted.get("tenant"))
        if (own := request.key) is not None:
            (taken,) = self._stores.publishing().publish([wanted], caller, own)
            if taken.taken is None:
                raise _not_taken(taken.error, again=True)
            return Job(taken.taken.job, taken.taken.request_id, keyed=True, marked=False)
        digest, now = digest_of(caller, request, fields), self._clock.now()
        request_id = self._stores.markers.find(digest, now) if request.attempt else None
        record = None if request_id is None else self._record(job_key(request_id, tenant))
        if request_id is None or (record is not None and may_begin_anew(record)):
            record, request_id = None, f"o-{base64.b32encode(self._dice(_ID_BYTES)).decode().lower().rstrip('=')}"
            if request.attempt is not None:
                self._stores.markers.note(digest, request_id, round(now) + MARKER_SECONDS)
        job = Job(job_key(request_id, tenant), request_id, keyed=False, marked=request.attempt is not None)
        if record is None:
            # Under the id that is noted: who comes again meets the same job, whether the queue has it by now or not.
            (taken,) = self._stores.publishing().publish([{**wanted, "request_id": request_id}], caller, None)
            if taken.taken is None:
                raise _not_taken(taken.error, again=job.marked)
        return job

    def _record(self, key: str) -> JobRecord | None:
        return self._stores.notes.load([key]).get(key)

    # --- clips ------------------------------------------------------------------------------------------------------

    def _film(self, request: Sent, caller: Caller) -> Answer:
        fields = fields_of(request)
        job = self._begun(request, caller, fields, videos(fields, self._menu()))
        record = self._record(job.key)
        if record is None:
            raise NotServed(503, "store_unavailable", "it is on the queue, and its job can't be read yet", type_=SERVER)
        shown = self._video(record, _video_id(job.key, caller))
        prompt = fields.get("prompt")
        return Answer(200, {**shown, "prompt": prompt}, _headers(job.request_id, record))

    def _clip(self, id_: str, caller: Caller) -> Answer:
        record = self._found(id_, caller)
        headers = _headers(record.publisher_request_id, record)
        if not record.status.settled:
            headers["openai-poll-after-ms"] = str(POLL_MILLISECONDS)
        return Answer(200, self._video(record, id_), headers)

    def _clips(self, request: Sent, caller: Caller) -> Answer:
        """List clips, the newest first; `after` is the last one of the page before."""
        if request.query.get("order", "desc") != "desc":
            raise unsupported("order", "only desc: the newest first")
        limit, after = _limit(request.query.get("limit")), request.query.get("after")
        wanted = {"kind": Kind.VIDEO.value} | ({"tenant": caller.tenant} if caller.tenant else {})
        last = self._found(after, caller) if after else None
        listing, found, cursor = self._stores.listing(), list[str](), None
        for _ in range(PAGES_READ):
            # One of the kind may be the last of the page before, which is read again.
            until = last.received_at if last else None
            page = listing.page(wanted, since=0, until=until, limit=limit + 2, cursor=cursor)
            found += [each.job for each in page.items if last is None or _behind(each, last)]
            cursor = page.next_cursor
            if len(found) > limit or cursor is None:
                break
        keys = found[:limit]
        records = self._stores.notes.load(keys) if keys else {}
        shown = [self._video(records[key], _video_id(key, caller)) for key in keys if key in records]
        edges = {"first_id": shown[0]["id"], "last_id": shown[-1]["id"]} if shown else {}
        more = bool(shown) and (len(found) > limit or cursor is not None)
        return Answer(200, {"object": "list", "data": shown, "has_more": more, **edges})

    def _content(self, id_: str, request: Sent, caller: Caller) -> Answer:
        if request.query.get("variant", "video") != "video":
            raise unsupported("variant", "only video")
        record = self._found(id_, caller)
        if record.status is not JobStatus.SUCCEEDED or not record.outputs:
            raise NotServed(404, "video_not_ready", f"the clip is {record.status}; there is no file")
        return self._link(FOUND, record.outputs[0].key, record.publisher_request_id, record)

    def _deleted(self, id_: str, caller: Caller) -> Answer:
        record = self._found(id_, caller)
        if not record.status.settled:
            reason = "deleted through the routes in OpenAI's shape"
            self._stores.publishing().cancel(record.publisher_request_id, record.tenant, reason, caller)
        return Answer(200, {"id": id_, "object": "video.deleted", "deleted": True})

    def _found(self, id_: str, caller: Caller) -> JobRecord:
        raw = id_.removeprefix(VIDEO)
        key = raw if OF_TENANT in raw or caller.tenant is None else job_key(raw, caller.tenant)
        record = self._record(key) if raw else None
        if record is None or record.kind is not Kind.VIDEO or caller.tenant not in (None, record.tenant):
            raise NotServed(404, NO_SUCH_VIDEO, f"there is no clip {id_[:100]}")
        return record

    def _video(self, record: JobRecord, id_: str) -> dict[str, Any]:
        submit, typical = record.submit, TYPICAL_SECONDS
        if submit is not None and (offered := self._menu().offered.get(submit.provider)) is not None:
            model = offered.models.get(submit.model)
            typical = model.typical_seconds if model else typical
        return video(record, id_, self._clock.now(), typical)

    # --- the rest ---------------------------------------------------------------------------------------------------

    def _models(self, name: str) -> Answer:
        menu = self._menu()
        every = listed(menu)
        if not name:
            return Answer(200, {"object": "list", "data": every})
        found = next((each for each in every if each["id"] == name), None)
        if found is None:
            raise no_model(name, menu)
        return Answer(200, found)

    def _link(self, status: int, key: str, request_id: str, record: JobRecord) -> Answer:
        """Send the SDK to the file. It asks there without its token, since that is another host."""
        return Answer(status, None, {"location": self._stores.links.sign(key)[1], **_headers(request_id, record)})


def _headers(request_id: str, record: JobRecord) -> dict[str, str]:
    facts = {"x-request-id": request_id, "x-mediarelay-cost-usd": f"{record.cost_usd:.6f}"}
    return facts | ({"x-mediarelay-provider": record.provider} if record.provider else {})


def _video_id(key: str, caller: Caller) -> str:
    """Return by what a clip is asked for: its tenant is a publisher's own, and else has to be said."""
    return f"{VIDEO}{key.partition(OF_TENANT)[2] if caller.tenant and OF_TENANT in key else key}"


def _behind(job: ListedJob, last: JobRecord) -> bool:
    """Tell whether a list has it after that one: the newest first, and those of one moment by their keys."""
    return (-job.received_at, job.job) > (-last.received_at, last.request_id)


def _limit(given: str | None) -> int:
    limit = int(given) if given and re.fullmatch(r"\d{1,3}", given) else DEFAULT_LISTED
    if not 1 <= limit <= MOST_LISTED or given == "":
        raise NotServed(400, "invalid_request", f"limit: 1 to {MOST_LISTED}", param="limit")
    return limit


def _not_taken(error: Any, *, again: bool) -> NotServed:
    """Return the refusal of what was not published: the queue did not take it, or the id is of another request."""
    if error is not None and error.retryable:
        return NotServed(503, error.code, error.message, type_=SERVER, again=again)
    return rejection(error.code, error.message) if error is not None else NotServed(500, "internal_error", "not taken")


def _pauses() -> Iterator[float]:
    yield from _PAUSES
    while True:
        yield _LAST_PAUSE
