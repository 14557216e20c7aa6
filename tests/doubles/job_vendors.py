"""Kling, fal's queue and ElevenLabs' music in virtual time: jobs that take a while, accounts, slots, planned faults.

One object stands for all vendors: it implements the wire and the media hosts, and counts what no test may forget.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mediarelay.http.messages import HttpRequest
from mediarelay.vocabulary.errors import Unreachable
from tests.doubles.clock import ManualClock
from tests.doubles.scripted_http import Answer, document, speech

MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\x00" * 400
WAV = b"RIFF\x98\x01\x00\x00WAVEfmt " + b"\x00" * 400


@dataclass
class VendorTask:
    """One accepted job."""

    id: str
    vendor: str
    account: str
    key: str
    prompt: str
    external_id: str | None
    done_at: float
    failure: Any = None
    media: bytes = MP4
    cancelled: bool = False
    webhook_url: str | None = None


@dataclass(frozen=True)
class Fault:
    """What happens to the next call of an operation: it is answered so, or breaks so, before or after its work."""

    answer: Answer | None = None
    breaks: BaseException | None = None
    after: bool = False


def reset(*, after: bool) -> Fault:
    """The connection breaks before the vendor's work is done, or after."""
    return Fault(breaks=Unreachable("connection_lost", "the connection broke off", sent=True), after=after)


def kling_refusal(status: int, code: int) -> Fault:
    """Kling's error envelope."""
    return Fault(document(status, {"code": code, "message": "no", "request_id": "r"}))


def plain(status: int, body: Any = "") -> Fault:
    """Any answer."""
    return Fault(document(status, body))


@dataclass
class JobVendors:
    """Implements `http.ports.HttpClient` and `long_jobs.transfer.ports.MediaFetcher`.

    Attributes:
        accounts: Account by key.
        seconds: How long the next job takes.
        before_answer: What happens elsewhere while the next answer is on its way.
        limits: Most jobs at once, by account; beyond that Kling answers 1303.
    """

    clock: ManualClock
    accounts: dict[str, str] = field(default_factory=dict)
    seconds: Callable[[], float] = lambda: 60.0
    limits: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, VendorTask] = field(default_factory=dict)
    submits: Counter[str] = field(default_factory=Counter)
    polls: Counter[str] = field(default_factory=Counter)
    lookups: int = 0
    foreign: int = 0
    leaked: int = 0
    bought: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    fetched: list[tuple[str, int]] = field(default_factory=list)
    before_answer: Callable[[], None] | None = None
    _plans: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))

    def plan(self, operation: str, *faults: Fault) -> None:
        """The next faults of `submit`, `poll`, `result`, `lookup`, `cancel`, `music` or `media`."""
        self._plans[operation].extend(faults)

    def charged(self) -> dict[str, int]:
        """How many accepted jobs each prompt has that neither failed nor were cancelled."""
        alive = (task for task in self.tasks.values() if task.failure is None and not task.cancelled)
        return dict(Counter(task.prompt for task in alive))

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[Answer]:
        """See `http.ports.HttpClient.send`."""
        del deadline
        credential = " ".join(request.headers.values()).removeprefix("Bearer ").removeprefix("Key ")
        kling = "kling" in request.base_url
        operation = self._operation(request, kling)
        fault = self._plans[operation].popleft() if self._plans[operation] else Fault(after=True)
        if not fault.after:
            yield from _happening(fault, None)
            return
        answer = self._work(operation, request, credential, kling)
        interlude, self.before_answer = self.before_answer, None
        if interlude is not None:
            interlude()
        yield from _happening(fault, answer)

    @contextmanager
    def open(
        self, url: str, *, hosts: Sequence[str], offset: int, version: str, deadline: float
    ) -> Iterator[PlannedStream]:
        """See `long_jobs.transfer.ports.MediaFetcher.open`."""
        del hosts, deadline
        self.fetched.append((url, offset))
        data = self.tasks[url.rpartition("/")[2].partition(".")[0]].media
        fault = self._plans["media"].popleft() if self._plans["media"] else None
        if fault is not None and fault.breaks is not None and not fault.after:
            raise fault.breaks
        start = offset if version else 0
        breaks = fault.breaks if fault is not None else None
        yield PlannedStream(data, start, breaks)

    # --- what the vendors do ----------------------------------------------------------------------------------------

    @staticmethod
    def _operation(request: HttpRequest, kling: bool) -> str:  # noqa: FBT001 # one of two vendors
        path = request.path
        if path.startswith(("/v1/music", "/v1/sound")):
            return "music"
        if request.method == "POST":
            return "submit"
        if request.method == "PUT":
            return "cancel"
        if kling:
            return "poll" if path.rpartition("/")[2].startswith("task-") else "lookup"
        return "poll" if path.endswith("/status") else "result"

    def _work(self, operation: str, request: HttpRequest, key: str, kling: bool) -> Answer:  # noqa: FBT001
        account = self.accounts.get(key)
        self.lookups += operation == "lookup"
        if operation == "music":
            self.bought[str(request.json.get("prompt") or request.json.get("text"))] += 1
            return speech()
        if account is None:
            return _kling(401, 1002) if kling else document(401, {"detail": "No user found for Key ID and Secret"})
        if operation == "submit":
            return self._submit(request, key, account, kling)
        task = self._find(operation, request)
        if task is None or task.account != account:
            self.foreign += task is not None
            return _kling(404, 1203) if kling else document(404, {"detail": "Request not found"})
        self.polls[task.id] += operation == "poll"
        self.foreign += operation == "poll" and task.key != key and task.key in self.accounts
        return self._kling_state(task) if kling else self._fal_state(operation, task)

    def _submit(self, request: HttpRequest, key: str, account: str, kling: bool) -> Answer:  # noqa: FBT001
        running = self.running(account)
        if kling and account in self.limits and running >= self.limits[account]:
            return _kling(429, 1303)
        body = request.json
        prompt, number = str(body["prompt"]), len(self.tasks) + 1
        task = VendorTask(
            id=f"task-{number}",
            vendor="kling" if kling else "fal",
            account=account,
            key=key,
            prompt=prompt,
            external_id=body.get("external_task_id"),
            done_at=self.clock.now() + self.seconds(),
            media=MP4 if kling or "kling" in request.path else WAV,
            webhook_url=request.params.get("fal_webhook"),
        )
        self.tasks[task.id] = task
        self.submits[prompt] += 1
        self.most[account] = max(self.most[account], self.running(account))
        if kling:
            return document(200, {"code": 0, "message": "SUCCEED", "data": {"task_id": task.id}})
        base = f"https://queue.fal.run/fal-ai/app/requests/{task.id}"
        urls = {"response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}
        return document(200, {"request_id": task.id, "status": "IN_QUEUE", "queue_position": 0, **urls})

    def running(self, account: str) -> int:
        """How many jobs of an account are at work now."""
        now = self.clock.now()
        return sum(
            task.account == account and now < task.done_at and not task.cancelled for task in self.tasks.values()
        )

    def _find(self, operation: str, request: HttpRequest) -> VendorTask | None:
        parts = request.path.split("/")
        if operation == "lookup":
            return next((task for task in self.tasks.values() if task.external_id == parts[-1]), None)
        return next((self.tasks[part] for part in parts if part in self.tasks), None)

    def _kling_state(self, task: VendorTask) -> Answer:
        data: dict[str, Any] = {"task_id": task.id, "task_status": "processing"}
        if self.clock.now() >= task.done_at:
            data |= {"task_status": "succeed", "task_result": {"videos": [{"id": "v", "url": _url(task)}]}}
            if task.failure is not None:
                data |= {"task_status": "failed", "task_status_msg": task.failure}
        return document(200, {"code": 0, "message": "SUCCEED", "data": data})

    def _fal_state(self, operation: str, task: VendorTask) -> Answer:
        if operation == "cancel":
            task.cancelled = True
            return document(202, {"status": "CANCELLATION_REQUESTED"})
        if operation == "result":
            field_name = "video" if task.media is MP4 else "audio"
            return document(200, {field_name: {"url": _url(task), "content_type": "application/octet-stream"}})
        if self.clock.now() < task.done_at:
            return document(202, {"status": "IN_PROGRESS", "logs": None})
        return document(200, {"status": "COMPLETED", "logs": None, **(task.failure or {})})


@dataclass
class PlannedStream:
    """Implements `long_jobs.transfer.ports.MediaStream`; breaks off half-way when it is to."""

    data: bytes
    offset: int
    breaks: BaseException | None
    version: str = '"v1"'

    @property
    def size(self) -> int | None:
        """Of the whole file."""
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        """In small pieces."""
        rest = self.data[self.offset :]
        half = len(rest) // 2 if self.breaks else len(rest)
        yield from (rest[start : min(start + 64, half)] for start in range(0, half, 64))
        if self.breaks:
            raise self.breaks


def _happening(fault: Fault, answer: Answer | None) -> Iterator[Answer]:
    if fault.breaks is not None:
        raise fault.breaks
    given = fault.answer or answer
    assert given is not None
    yield given


def _kling(status: int, code: int) -> Answer:
    return document(status, {"code": code, "message": "no", "request_id": "r"})


def _url(task: VendorTask) -> str:
    return f"https://media.invalid/{task.id}.{'mp4' if task.media is MP4 else 'wav'}"


def secrets_of(keys: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """Account by key, of the keys as the ring knows them."""
    return {key.secret.get_secret_value(): key.entry.account for group in keys.values() for key in group}
