"""The library's front: publishes requests, and brings back what came of each, once."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import queue
import re
import socket
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, Unpack
from urllib.parse import quote

from pydantic import BaseModel, SecretStr

from mediarelay_client.api import Api, JobView
from mediarelay_client.desk import Desk, Waiting, next_ask
from mediarelay_client.errors import InvalidRequest, NotAllowed, NotFound, RelayError, Unavailable, WaitTimeout
from mediarelay_client.job import Job
from mediarelay_client.models import ResultEvent
from mediarelay_client.receiving import Receiver
from mediarelay_client.request.asking import asked, checked, refused_event
from mediarelay_client.request.ids import fresh_id
from mediarelay_client.request.keywords import ComposeOptions, DrawOptions, FilmOptions, SayOptions
from mediarelay_client.result import Result
from mediarelay_client.settings import Settings, find

if TYPE_CHECKING:
    from mediarelay_client.aws import RequestQueue
    from mediarelay_client.request.model import MediaRequest

IN_FLIGHT: Final = 1000
TOGETHER: Final = 10
REMEMBERED: Final = 100_000
_WATCH_SECONDS: Final = 5
Request = "MediaRequest | Mapping[str, Any]"


class Relay(AbstractContextManager["Relay"]):
    """A connection to one stack. Safe for threads; a forked child has its own queue."""

    def __init__(self, settings: Settings, *, client: str | None = None) -> None:
        self.settings = settings
        self.client = client or _client_name()
        self.desk = Desk()
        self._api: Api | None = None
        self._queue: RequestQueue | None = None
        self._sqs: Any = None
        self._lock = threading.RLock()
        self._receiver: Receiver | None = None
        self._pid = os.getpid()
        _living.add(self)

    # --- ways in --------------------------------------------------------------------------------------------------

    @classmethod
    def from_stack(
        cls, name: str, *, region: str | None = None, profile: str | None = None, tenant: str | None = None
    ) -> Self:
        """Return a relay of the stack of that name; `profile` is one of AWS's."""
        return cls(find({"stack": name, "region": region, "aws_profile": profile, "tenant": tenant}))

    @classmethod
    def from_env(cls) -> Self:
        """Return a relay of the stack that the command would use here."""
        return cls(find())

    @classmethod
    def from_api(cls, url: str, token: str | SecretStr, *, tenant: str | None = None) -> Self:
        """Return a relay that knows the API only: it needs no credentials of AWS."""
        plain = token.get_secret_value() if isinstance(token, SecretStr) else token
        settings = Settings()
        settings.add({"api_url": url, "api_token": plain, "tenant": tenant}, "given")
        return cls(settings)

    # --- asking ---------------------------------------------------------------------------------------------------

    def say(self, text: str, /, **options: Unpack[SayOptions]) -> Job:
        """Have a text spoken."""
        return self.submit(asked("tts", {"text": text}, options))

    def draw(self, prompt: str, /, **options: Unpack[DrawOptions]) -> Job:
        """Have a picture drawn."""
        return self.submit(asked("image", {"prompt": prompt}, options))

    def film(self, prompt: str, /, **options: Unpack[FilmOptions]) -> Job:
        """Have a clip filmed."""
        return self.submit(asked("video", {"prompt": prompt}, options))

    def compose(self, prompt: str, /, **options: Unpack[ComposeOptions]) -> Job:
        """Have music composed, or a sound made."""
        return self.submit(asked("audio", {"prompt": prompt}, options))

    def submit(self, request: MediaRequest | Mapping[str, Any], /) -> Job:
        """Publish a request. It is checked first, with the queue's own words.

        Raises:
            InvalidRequest: It can never be served; nothing was sent.
        """
        (job,) = self._published([self._prepared(request)], [None], replied=False)
        if isinstance(job, RelayError):
            raise job
        return job

    def submit_many(
        self,
        requests: Iterable[MediaRequest | Mapping[str, Any]],
        *,
        in_flight: int = IN_FLIGHT,
        timeout: float | None = None,
        raise_errors: bool = False,
    ) -> Generator[Result]:
        """Publish requests as others end, and yield what came of each as it ends.

        Args:
            requests: Taken one by one, and never more than `in_flight` ahead of what has ended.
            in_flight: How many may be open at once.
            timeout: Seconds without any result after which `WaitTimeout` is raised; the jobs go on.
            raise_errors: Whether the first that ends without a result ends the iteration with its error.
        """
        with contextlib.closing(self.ended(requests, in_flight=in_flight, timeout=timeout)) as ended:
            for result in itertools.chain.from_iterable(ended):
                if raise_errors and not result.ok:
                    from mediarelay_client.errors import failure  # noqa: PLC0415 # rarely asked for

                    raise failure(result.event)
                yield result

    def ended(
        self,
        requests: Iterable[MediaRequest | Mapping[str, Any]],
        *,
        in_flight: int = IN_FLIGHT,
        timeout: float | None = None,
        opened: Iterable[Job] = (),
    ) -> Generator[list[Result]]:
        """Publish as `submit_many` does, and yield all results of a request together.

        Args:
            requests: See `submit_many`.
            in_flight: See `submit_many`.
            timeout: See `submit_many`.
            opened: Jobs published earlier that are waited for along with them.
        """
        ended: queue.SimpleQueue[Job] = queue.SimpleQueue()
        numbered = enumerate(requests)
        open_: set[Job] = set()
        more = True

        def wait_for(job: Job) -> None:
            open_.add(job)
            job.ended().add_done_callback(lambda _: ended.put(job))

        try:
            for job in opened:
                wait_for(job)
            while True:
                while more and len(open_) < in_flight and ended.empty():
                    batch = list(itertools.islice(numbered, min(TOGETHER, in_flight - len(open_))))
                    more = bool(batch)
                    for job in self._sent(batch):
                        wait_for(job)
                if not open_:
                    return
                job = _next(ended, timeout, len(open_))
                open_.discard(job)
                yield job.branches()
        finally:
            for job in open_:
                self.desk.forget(job._waiting)  # noqa: SLF001 # nobody waits for it any more

    def job(self, request_id: str, *, tenant: str | None = None, input_index: int | None = None) -> Job:
        """Return a handle to a request that was published earlier, or elsewhere."""
        waiting = Waiting(request_id, tenant or self.settings.tenant)
        return Job(self, self.desk.open(waiting), input_index)

    def cancel(self, request_id: str, tenant: str | None = None) -> None:
        """Ask for a job's end."""
        body = {"cancel": request_id} | ({"tenant": tenant} if tenant else {})
        if not self.settings.by_aws:
            self.api.delete(f"jobs/{quote(request_id, safe='')}", tenant=tenant, reason=f"cancelled by {self.client}")
            return
        (sent,) = self.queue.send([json.dumps(body)])
        if isinstance(sent, RelayError):
            raise sent

    def events(
        self,
        *,
        kind: str | Sequence[str] | None = None,
        status: str | Sequence[str] | None = None,
        provider: str | Sequence[str] | None = None,
        tenant: str | Sequence[str] | None = None,
    ) -> Generator[ResultEvent]:
        """Yield everybody's results as they come, each once, until the relay is closed.

        SNS may take up to 15 minutes until the first ones come.
        """
        from mediarelay_client.aws import Subscription  # noqa: PLC0415 # needs boto3

        asked_for = {"kind": kind, "status": status, "provider": provider, "tenant": tenant}
        wanted = {
            name: [value] if isinstance(value, str) else list(value) for name, value in asked_for.items() if value
        }
        subscription = Subscription(self.settings, wanted, self.client)
        seen: OrderedDict[str, None] = OrderedDict()
        try:
            while self in _living:
                for body in subscription.receive(_WATCH_SECONDS):
                    event = ResultEvent.model_validate_json(body)
                    if event.event_id in seen:
                        continue
                    seen[event.event_id] = None
                    if len(seen) > REMEMBERED:
                        seen.popitem(last=False)
                    yield event
        finally:
            subscription.close()

    # --- what handles use -----------------------------------------------------------------------------------------

    @property
    def has_api(self) -> bool:
        """Whether the API may be asked."""
        return bool(self.settings.api_url and self.settings.api_token)

    @property
    def api(self) -> Api:
        """The API. Raises `NotAllowed` without a token."""
        if self._api is None:
            url, token = self.settings.api_url, self.settings.api_token
            if url is None or token is None:
                hint = "mediarelay login, or set MEDIARELAY_API_URL and MEDIARELAY_API_TOKEN"
                raise NotAllowed("no_token", "there is no token for the API", hint=hint)
            self._api = Api(url, token)
        return self._api

    @property
    def sqs(self) -> Any:
        """A client of SQS."""
        if self._sqs is None:
            from botocore.config import Config  # noqa: PLC0415 # with boto3

            config = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=16)
            self._sqs = self.settings.session().client("sqs", endpoint_url=self.settings.endpoint_url, config=config)
        return self._sqs

    @property
    def queue(self) -> RequestQueue:
        """Where requests are published."""
        if self._queue is None:
            from mediarelay_client.aws import RequestQueue  # noqa: PLC0415 # needs boto3

            self._queue = RequestQueue(self.sqs, self.settings.values["queue_url"])
        return self._queue

    def wait(self, waiting: Waiting, timeout: float | None) -> list[ResultEvent]:
        """Wait for a request's events; raises `concurrent.futures.TimeoutError`."""
        self.listen()
        return waiting.outcome.result(timeout)

    def listen(self) -> Receiver:
        """Have results come in: by a thread of its own, and not before somebody waits."""
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._receiver, self._sqs, self._queue, self._api = os.getpid(), None, None, None, None
            if self._receiver is None:
                self._receiver = Receiver(self)
            self._receiver.start()
            return self._receiver

    def learn(self, job: JobView) -> None:
        """Take what a record tells: the end of a job."""
        if job.settled and not job.branches:
            self.desk.deliver(job.event())

    def result_of(self, event: ResultEvent, input_index: int | None = None) -> Result:
        """Return an event as a result."""
        return Result(event, self._links, input_index)

    def _links(self, event: ResultEvent) -> list[str]:
        """Return fresh links to an event's files; none where there is no API to ask."""
        if not self.has_api:
            return []
        jobs = self.api.jobs(event.request_id, event.tenant)
        return [link.url for job in jobs if job.event().job_id == event.job_id for link in job.links]

    def close(self) -> None:
        """End what was begun here: the thread, the queue. Jobs go on."""
        with self._lock:
            receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.close()
        self.desk.give_up(RelayError("closed", "the relay was closed while a result was waited for"))
        if self._api is not None:
            self._api.close()
            self._api = None
        _living.discard(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    # --- publishing -----------------------------------------------------------------------------------------------

    def _prepared(self, request: MediaRequest | Mapping[str, Any]) -> dict[str, Any]:
        """Return the request as it is sent, with an id. Raises `InvalidRequest`."""
        if isinstance(request, BaseModel):
            body = request.model_dump(mode="json", exclude_defaults=True)
            body |= {"kind": request.kind}
        else:
            body = dict(request)
        if self.settings.tenant and body.get("tenant") is None:
            body["tenant"] = self.settings.tenant
        if body.get("request_id") is None:
            body["request_id"] = fresh_id(self.client)
        try:
            return checked(body)
        except InvalidRequest as error:
            error.request_id = str(body["request_id"])
            raise

    def _sent(self, batch: Sequence[tuple[int, MediaRequest | Mapping[str, Any]]]) -> Iterator[Job]:
        """Publish some of many; what can't be published ends at once, as a rejection would."""
        good: list[tuple[int, dict[str, Any]]] = []
        for index, request in batch:
            try:
                good.append((index, self._prepared(request)))
            except InvalidRequest as error:
                yield self._refused(index, request, error)
        if good:
            jobs = self._published([body for _, body in good], [index for index, _ in good], replied=True)
            for (index, body), job in zip(good, jobs, strict=True):
                if isinstance(job, Job):
                    yield job
                elif isinstance(job, InvalidRequest):
                    yield self._refused(index, body, job)
                else:
                    raise job

    def _refused(self, index: int, request: Any, error: InvalidRequest) -> Job:
        event = refused_event(error, request, time.time())
        waiting = Waiting(event.request_id, event.tenant)
        waiting.outcome.set_result([event])
        return Job(self, waiting, index)

    def _published(
        self, bodies: Sequence[dict[str, Any]], indexes: Sequence[int | None], *, replied: bool
    ) -> list[Job | RelayError]:
        """Publish bodies that have ids; `replied` where a queue of replies is worth its making."""
        receiver = self.listen()
        extra = receiver.address(make=replied or not self.has_api)
        bodies = [{**extra, **body} for body in bodies]
        waits = [self.desk.open(self._waiting_for(body, replied=bool(extra))) for body in bodies]
        try:
            sent = self._taken(bodies)
        except BaseException:
            for waiting in waits:
                self.desk.forget(waiting)
            raise
        made: list[Job | RelayError] = []
        for waiting, index, told in zip(waits, indexes, sent, strict=True):
            if isinstance(told, RelayError):
                self.desk.forget(waiting)
                told.request_id = waiting.request_id
                made.append(told)
            else:
                if told:
                    self.desk.sent(waiting, told)
                made.append(Job(self, waiting, index))
        receiver.wake()
        return made

    def _waiting_for(self, body: Mapping[str, Any], *, replied: bool) -> Waiting:
        together = body.get("strategy") == "all"
        named = body.get("providers") if together else None
        if together and named is None and not self.has_api:
            hint = "name the providers, or mediarelay login"
            raise NotAllowed("no_token", "whom strategy all asked is told by the API only", hint=hint)
        branches = frozenset(named) if named else None
        waiting = Waiting(str(body["request_id"]), body.get("tenant"), branches=branches, replied=replied)
        next_ask(waiting, time.monotonic())
        return waiting

    def _taken(self, bodies: Sequence[Mapping[str, Any]]) -> list[str | RelayError]:
        if self.settings.by_aws:
            return self.queue.send([json.dumps(body) for body in bodies])
        taken: list[str | RelayError] = []
        for body in bodies:
            try:
                self.api.post("requests", body)
            except NotFound as error:
                hint = "publish by the queue: it needs credentials of AWS"
                raise Unavailable("no_route", "the API of this stack takes no requests", hint=hint) from error
            taken.append("")
        return taken


def _next(ended: queue.SimpleQueue[Job], timeout: float | None, still_open: int) -> Job:
    try:
        return ended.get(timeout=timeout)
    except queue.Empty:
        said = f"no result came within {timeout:g} s; {still_open} jobs go on"
        raise WaitTimeout("still_running", said, retryable=True) from None


def _client_name() -> str:
    """Return a name of this machine and process that an id may begin with."""
    host = re.sub(r"[^A-Za-z0-9]+", "", socket.gethostname().partition(".")[0])[:16] or "client"
    return f"{host}-{os.getpid()}"


_living: weakref.WeakSet[Relay] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Leave no queue behind."""
    for relay in list(_living):
        with contextlib.suppress(RelayError):
            relay.close()
