"""The deployed template with everything around it: vendors, a subscriber, the proxy before the local AWS."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from mediarelay.announce.contract import ResultEvent
from mediarelay.aws.stores import from_item
from mediarelay.job_records.contract import JobRecord
from tools.local.aws_proxy import AwsProxy
from tools.local.demo.subscriber import Subscriber
from tools.local.deploy import Deployment
from tools.local.plan import StackPlan, local_parameters, provider_parameters
from tools.local.simulator import simulator_keys
from tools.local.stack import LocalStack, silent
from tools.simulator.process import SimulatorProcess

SQS_BATCH: Final = 10
PATIENT_RECEIVE_COUNT: Final = 20
# Seconds after which a wait is given up: it ends a hang, and measures nothing.
PATIENCE: Final = 900.0
POLL_SECONDS: Final = 0.05
NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})
T = TypeVar("T")

# The functions that serve requests, and the outputs that name their queues.
DISPATCHERS = {"DispatchRequestFunction": "RequestQueueUrl", "DrawPictureFunction": "PictureQueueUrl"}


@dataclass
class Relay:
    """What a test of the deployed stack works with."""

    stack: LocalStack
    simulator: SimulatorProcess
    proxy: AwsProxy
    subscriber: Subscriber
    events: list[ResultEvent] = field(default_factory=list)

    def publish(self, bodies: Iterable[Mapping[str, Any] | str]) -> list[str]:
        """Send messages, ten at a time; their ids."""
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        ids: list[str] = []
        for start in range(0, len(texts), SQS_BATCH):
            entries = [
                {"Id": str(number), "MessageBody": text} for number, text in enumerate(texts[start : start + SQS_BATCH])
            ]
            sent = self.stack.client("sqs").send_message_batch(
                QueueUrl=self.stack.outputs["RequestQueueUrl"], Entries=entries
            )
            ids += [entry["MessageId"] for entry in sorted(sent["Successful"], key=lambda entry: int(entry["Id"]))]
        return ids

    def await_events(
        self, request_ids: Iterable[str], *, max_wait: float = PATIENCE, meanwhile: Callable[[], None] = lambda: None
    ) -> dict[str, list[ResultEvent]]:
        """The events of these requests, each event once, until each has one or patience (seconds) ends."""
        wanted = set(request_ids)
        ends_at = time.monotonic() + max_wait
        while wanted - {event.request_id for event in self.events} and time.monotonic() < ends_at:
            meanwhile()
            self.events += self.subscriber.receive()
        return {request_id: self._known(request_id) for request_id in wanted}

    def events_of(self, request_ids: Iterable[str]) -> list[ResultEvent]:
        """The events of these requests that have come by now, each once."""
        self.events += self.subscriber.receive()
        return [event for request_id in set(request_ids) for event in self._known(request_id)]

    def _known(self, request_id: str) -> list[ResultEvent]:
        found = {event.event_id: event for event in self.events if event.request_id == request_id}
        return list(found.values())

    def jobs(self, prefix: str) -> dict[str, JobRecord]:
        """Every job whose id starts so."""
        pages = (
            self.stack.client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=self.stack.outputs["JobsTableName"], ConsistentRead=True)
        )
        records = (JobRecord.model_validate(from_item(item)) for page in pages for item in page["Items"])
        return {record.request_id: record for record in records if record.request_id.startswith(prefix)}

    def parked(self) -> list[dict[str, Any]]:
        """Receive, and delete, everything in the request DLQ."""
        sqs, url = self.stack.client("sqs"), self.stack.outputs["RequestDlqUrl"]
        messages: list[dict[str, Any]] = []
        while True:
            answer = sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=SQS_BATCH, MessageAttributeNames=["All"], WaitTimeSeconds=1
            )
            if not answer.get("Messages"):
                return messages
            for message in answer["Messages"]:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            messages += answer["Messages"]

    def function_logs(self) -> str:
        """All that the functions logged."""
        logs = self.stack.client("logs")
        lines: list[str] = []
        for group in logs.describe_log_groups()["logGroups"]:
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
                lines += [event["message"] for event in page["events"]]
        return "\n".join(lines)

    def workers(self, function: str) -> list[int]:
        """The processes that run a function now, by its logical id."""
        name = f"ministack-lambda-{self.stack.outputs[f'{function}Name']}-".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if name in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue  # it ended while we looked
        return found

    def restart_workers(self) -> None:
        """A new configuration starts new dispatchers, which remember nothing."""
        client = self.stack.client("lambda")
        for name in DISPATCHERS:
            function = self.stack.outputs[f"{name}Name"]
            variables = client.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
            fresh = {**variables, "FRESH": str(int(variables.get("FRESH", "0")) + 1)}
            client.update_function_configuration(FunctionName=function, Environment={"Variables": fresh})

    @contextmanager
    def quick(self, *, function_seconds: int, visibility_seconds: int) -> Iterator[None]:
        """Shorter times than the template's, so that a test of lost workers ends soon.

        A message may be received more often: what would be hours of dying workers is packed into a minute.
        """
        with ExitStack() as quickened:
            for function, queue in DISPATCHERS.items():
                quickened.enter_context(self._quick(function, queue, function_seconds, visibility_seconds))
            yield

    @contextmanager
    def _quick(self, name: str, output: str, function_seconds: int, visibility_seconds: int) -> Iterator[None]:
        function, queue = self.stack.outputs[f"{name}Name"], self.stack.outputs[output]
        functions, sqs = self.stack.client("lambda"), self.stack.client("sqs")
        timeout = functions.get_function_configuration(FunctionName=function)["Timeout"]
        names = ["VisibilityTimeout", "RedrivePolicy"]
        before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        redrive = json.loads(before["RedrivePolicy"]) | {"maxReceiveCount": PATIENT_RECEIVE_COUNT}
        during = {"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(redrive)}
        functions.update_function_configuration(FunctionName=function, Timeout=function_seconds)
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=during)
        try:
            yield
        finally:
            functions.update_function_configuration(FunctionName=function, Timeout=timeout)
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: before[name] for name in names})


def until(condition: Callable[[], T], what: str = "the condition") -> T:
    """Look until the condition gives something true, and return that."""
    ends_at = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < ends_at, f"{what} never came about"
        time.sleep(POLL_SECONDS)
    return found


def build_once(folder: Path) -> Path:
    """Build the template into a folder, or wait until another worker of this run has. Returns the build."""
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / "built"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # closing the file gives it back
        if not marker.exists():
            marker.write_text(str(Deployment(StackPlan(), "", folder).build(local_parameters(), silent)))
    return Path(marker.read_text())


@contextmanager
def deployed(
    workdir: Path, built: Path, *, settings: Mapping[str, str] = NO_SETTINGS, **parameters: str
) -> Iterator[Relay]:
    """Start the vendors, deploy what was `built`, subscribe; everything ends with the block.

    `settings` are the local AWS's own.
    """
    with ExitStack() as stack:
        simulator = stack.enter_context(SimulatorProcess())
        proxy = AwsProxy()
        stack.callback(proxy.close)
        local = stack.enter_context(
            LocalStack.start(
                workdir,
                plan=StackPlan(settings=settings, built=built),
                parameters={**provider_parameters(simulator.urls), "AwsEndpointUrl": proxy.url, **parameters},
                secret=simulator_keys(),
            )
        )
        proxy.target = local.endpoint
        topic = local.outputs["MediaResultsTopicArn"]
        yield Relay(local, simulator, proxy, Subscriber(local.client("sqs"), local.client("sns"), topic, "e2e-results"))
