"""Take a speech provider down under steady traffic and note what follows, until it is well again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from mediarelay.alerts.contract import Alert
from mediarelay.alerts.sqs import queued
from mediarelay.health.contract import HealthRecord
from mediarelay.health.dynamodb import DynamoHealth
from mediarelay.health.judgement import Status
from mediarelay.providers.registry import by_name
from tools.local.outage.calls import ProviderCall, calls_of
from tools.local.outage.inbox import Inbox
from tools.local.outage.traffic import steady_requests
from tools.local.stack import LocalStack
from tools.simulator.client import SimulatorClient

# Providers of speech; the first is the one to break, the others are its alternatives.
ORDER: Final = ("openai-tts", "elevenlabs-tts", "gemini-tts")
OPERATION: Final = "speech"  # as the simulator calls it
ERROR: Final = "server_error"
POLL_SECONDS: Final = 0.1
# A queue from which messages are taken as they come.
NOBODY: Final = 3
T = TypeVar("T")


class NothingCame(Exception):
    """What was waited for did not happen; the message says what, and in how many seconds."""


@dataclass
class Drill:
    """One stack, one provider to break, and an operator's subscription.

    Attributes:
        order: The providers that the traffic names; the first is the one to break.
        alerts: What the subscriber received so far, with the moment (unix seconds).
    """

    stack: LocalStack
    simulator: SimulatorClient
    inbox: Inbox
    order: Sequence[str]
    alerts: list[tuple[float, Alert]] = field(default_factory=list)
    began: float = field(default_factory=time.time)

    @property
    def provider(self) -> str:
        """Whom to break."""
        return self.order[0]

    @property
    def vendor(self) -> str:
        """Whose it is."""
        return by_name(self.provider).vendor

    @contextmanager
    def traffic(self, name: str, *, per_second: float, at_most: float = math.inf) -> Iterator[list[str]]:
        """Requests at that rate while the block runs, as long as at most so many wait for a worker; their ids."""
        sqs, queue = self.stack.client("sqs"), self.stack.outputs["RequestQueueUrl"]
        with steady_requests(sqs, queue, name, per_second=per_second, providers=self.order, at_most=at_most) as ids:
            yield ids

    @contextmanager
    def broken(self) -> Iterator[None]:
        """The provider answers 500 while the block runs."""
        fault = self.simulator.fault(vendor=self.vendor, operation=OPERATION, error=ERROR)
        try:
            yield
        finally:
            self.simulator.clear(fault)

    def sweep(self) -> None:
        """The minute's sweep, as the schedule runs it, in the background: a stack that is in use has had one."""
        function = self.stack.outputs["ProbeProvidersFunctionName"]
        self.stack.client("lambda").invoke(FunctionName=function, InvocationType="Event", Payload=b"{}")

    def record(self) -> HealthRecord | None:
        """The provider's health record."""
        table = self.stack.outputs["TelemetryTableName"]
        return DynamoHealth(self.stack.client("dynamodb"), table).get(self.provider)

    def status(self) -> Status:
        """What the record says."""
        found = self.record()
        return found.status if found else Status.IDLE

    def calls(self) -> list[ProviderCall]:
        """The calls that reached the provider since the drill began, oldest first."""
        table = self.stack.outputs["TelemetryTableName"]
        return calls_of(self.stack.client("dynamodb"), table, self.provider, since=self.began)

    def all_calls(self, *, max_wait: float) -> list[ProviderCall]:
        """The same, once they are as many as the vendor has seen; for when nobody calls any more.

        Raises:
            NothingCame: The workers have not noted every call in *patience* seconds.
        """

        def seen() -> int:
            calls = self.simulator.calls()
            mine = [call for call in calls if (call["vendor"], call["operation"]) == (self.vendor, OPERATION)]
            return sum(call["ended"] > self.began for call in mine)

        self.until("a note of every call", lambda: len(self.calls()) == seen(), max_wait=max_wait)
        return self.calls()

    def told(self, event: str) -> list[tuple[float, Alert]]:
        """The alerts about the provider with this event, received now or before."""
        now = time.time()
        self.alerts += [(now, alert) for alert in self.inbox.alerts()]
        return [(at, alert) for at, alert in self.alerts if (alert.provider, alert.event) == (self.provider, event)]

    def until(self, what: str, condition: Callable[[], T], *, max_wait: float) -> T:
        """Look until the condition gives something true.

        Raises:
            NothingCame: It did not, in *patience* seconds.
        """
        ends_at = time.monotonic() + max_wait
        while not (found := condition()):
            if time.monotonic() > ends_at:
                raise NothingCame(f"{what}: not in {max_wait:g} s")
            time.sleep(POLL_SECONDS)
        return found

    def warm(self, calls: int, *, max_wait: float) -> None:
        """Wait until the provider has served so many, is known to be well, and nobody waits any more."""

        def well() -> bool:
            found = self.record()
            if found is None or found.status is not Status.HEALTHY or self.waiting() > NOBODY:
                return False
            return sum(not call.failed and call.started > found.since for call in self.calls()) >= calls

        self.until(f"{calls} calls of {self.provider} and a healthy record", well, max_wait=max_wait)

    def serves_again(self, *, max_wait: float) -> None:
        """Wait until it has served a call that began after its record turned healthy.

        Raises:
            NothingCame: It has not, in *patience* seconds.
        """

        def served() -> bool:
            found = self.record()
            since = found.since if found is not None and found.status is Status.HEALTHY else math.inf
            return any(not call.failed and call.started > since for call in self.calls())

        self.until(f"traffic back at {self.provider}", served, max_wait=max_wait)

    def waiting(self) -> int:
        """Requests that no worker has taken yet."""
        return queued(self.stack.client("sqs"), self.stack.outputs["RequestQueueUrl"])


@contextmanager
def workers(stack: LocalStack, count: int) -> Iterator[None]:
    """So many dispatch functions while the block runs; afterwards as many as the template has."""
    functions: Any = stack.client("lambda")
    name = stack.outputs["DispatchRequestFunctionName"]
    source = _source(stack)
    set_workers(stack, count)
    try:
        yield
    finally:
        functions.delete_function_concurrency(FunctionName=name)
        functions.update_event_source_mapping(UUID=source["UUID"], ScalingConfig=source["ScalingConfig"])


def set_workers(stack: LocalStack, count: int) -> None:
    """Let so many dispatch functions work at the same time."""
    functions: Any = stack.client("lambda")
    name = stack.outputs["DispatchRequestFunctionName"]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=count)
    at_once = max(2, count)  # the least that Lambda takes for a queue
    functions.update_event_source_mapping(UUID=_source(stack)["UUID"], ScalingConfig={"MaximumConcurrency": at_once})


def _source(stack: LocalStack) -> Any:
    """The event source of the queue of requests; lost ones come to the same function by another."""
    functions: Any = stack.client("lambda")
    queue = stack.outputs["RequestQueueUrl"].rpartition("/")[2]
    listed = functions.list_event_source_mappings(FunctionName=stack.outputs["DispatchRequestFunctionName"])
    (source,) = [each for each in listed["EventSourceMappings"] if each["EventSourceArn"].endswith(f":{queue}")]
    return source
