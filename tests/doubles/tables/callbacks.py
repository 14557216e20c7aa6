"""The queue, the records, the secrets and the receivers of callbacks, in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mediarelay.callbacks.ports import CallbackMessage
from mediarelay.http.messages import HttpRequest
from mediarelay.job_records.contract import CallbackTries, JobRecord
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable


class MemoryCallbackQueue:
    """Implements `callbacks.ports.CallbackQueue`. A message that is neither hidden nor deleted is due at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, tuple[float, CallbackMessage]] = {}
        self.hidden: list[float] = []

    def add(self, message: CallbackMessage) -> None:
        """As SNS does."""
        self._waiting[message.receipt_handle] = (self._clock.now(), message)

    def hide(self, message: CallbackMessage, seconds: float) -> None:
        """See `callbacks.ports.CallbackQueue.hide`."""
        self.hidden.append(seconds)
        self._waiting[message.receipt_handle] = (self._clock.now() + seconds, message)

    def replay(self, event: str, *, thin: bool, at: int) -> None:
        """See `callbacks.ports.CallbackQueue.replay`."""
        name = f"replay-{at}"
        self.add(CallbackMessage(name, name, event, at, thin=thin, replayed_at=at))

    @property
    def next_at(self) -> float | None:
        """When the next one is due; None when none waits."""
        return min((at for at, _ in self._waiting.values()), default=None)

    def due(self) -> list[CallbackMessage]:
        """What a receive gives now, ten at most."""
        now = self._clock.now()
        return [message for at, message in self._waiting.values() if at <= now][:10]

    def delete(self, message: CallbackMessage) -> None:
        """As Lambda does with what is not reported as failed."""
        del self._waiting[message.receipt_handle]


class MemoryCallbackRecords:
    """Implements `callbacks.ports.CallbackRecords`. Thread-safe."""

    def __init__(self, *records: JobRecord) -> None:
        self._records = {record.request_id: record for record in records}
        self._lock = threading.Lock()
        self.writes = 0
        self.away = False

    def get(self, request_id: str) -> JobRecord | None:
        """See `callbacks.ports.CallbackRecords.get`."""
        if self.away:
            raise StoreUnavailable("jobs table", "read a job", "away")
        return self._records.get(request_id)

    def note(self, request_id: str, tries: CallbackTries, *, before: CallbackTries | None) -> bool:
        """See `callbacks.ports.CallbackRecords.note`."""
        with self._lock:
            record = self._records.get(request_id)
            if record is None or _mark(record.callback) != _mark(before):
                return False
            self.writes += 1
            self._records[request_id] = record.model_copy(update={"callback": tries})
            return True


def _mark(tries: CallbackTries | None) -> tuple[int, tuple[int, int]] | None:
    return None if tries is None else (tries.tries, tries.round)


class FixedCallbackSecrets:
    """Implements `callbacks.ports.CallbackSecrets`."""

    def __init__(self, keys: Mapping[str, Sequence[bytes]]) -> None:
        self.keys = dict(keys)

    def load(self) -> Mapping[str, Sequence[bytes]]:
        """See `callbacks.ports.CallbackSecrets.load`."""
        return self.keys


@dataclass
class Call:
    """One call as the receiver saw it."""

    at: float
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


@dataclass
class Said:
    """What a receiver answers."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def chunks(self) -> Iterator[bytes]:
        """Its body, which nobody reads."""
        raise AssertionError("the answer's body is of no interest")

    read = chunks


class Receiver:
    """Stands where `http.ports.HttpClient` does: answers by the moment. `answers` may return an error instead."""

    def __init__(self, clock: Clock, answers: Callable[[float], int | Said | Unreachable]) -> None:
        self._clock = clock
        self._answers = answers
        self._lock = threading.Lock()
        self.calls: list[Call] = []

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[Any]:
        """Take a call."""
        now = self._clock.now()
        assert 0 < deadline - now <= 15
        with self._lock:
            self.calls.append(Call(now, request.url, request.headers, request.body or b""))
        answer = self._answers(now)
        if isinstance(answer, Unreachable):
            raise answer
        yield Said(answer) if isinstance(answer, int) else answer


@dataclass
class MemoryGivenUp:
    """Implements `callbacks.ports.GivenUpTopic`."""

    events: list[Mapping[str, Any]] = field(default_factory=list)

    def tell(self, event: Mapping[str, Any]) -> None:
        """See `callbacks.ports.GivenUpTopic.tell`."""
        self.events.append(event)
