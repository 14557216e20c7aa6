"""What the tests of health need of a deployed stack: the API with a token, a subscriber of alerts, a steady stream."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests

from mediarelay.contracts.alert import Alert
from tests.support.builders import tts
from tests.support.deployed import Relay
from tools.local.provider_secret import store_tokens

TOKEN, OLD = "t0ken-" * 6, "0ld-" * 8


class HealthDesk:
    """One stack's operator."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.alerts: list[tuple[float, Alert]] = []
        later, earlier = time.time() + 3600, time.time() - 1
        tokens = [("e2e", TOKEN, later), ("expired", OLD, earlier)]
        store_tokens(relay.stack.client("secretsmanager"), tokens)
        sqs, sns = relay.stack.client("sqs"), relay.stack.client("sns")
        self._inbox = sqs.create_queue(QueueName="e2e-alerts")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._inbox, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=self._inbox, Attributes={"Policy": policy})
        topic = relay.stack.outputs["ProviderAlertsTopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})

    @property
    def base(self) -> str:
        """Where the API is, for any client."""
        return self.relay.stack.api_url.removesuffix("/")

    def get(self, path: str, token: str | None = TOKEN) -> requests.Response:
        """Ask the API."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return requests.get(f"{self.base}{path}", headers=headers, timeout=60)

    def post(self, path: str, body: Any) -> requests.Response:
        """Order something of the API."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        return requests.post(f"{self.base}{path}", headers=headers, json=body, timeout=60)

    def delete(self, path: str) -> requests.Response:
        """Take an order of the API back."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        return requests.delete(f"{self.base}{path}", headers=headers, timeout=60)

    def provider(self, name: str) -> dict[str, Any]:
        """One provider's health."""
        answer = self.get(f"/api/v1/providers/{name}/health")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def receive(self) -> None:
        """Take what has come, with the moment it came."""
        sqs = self.relay.stack.client("sqs")
        answer = sqs.receive_message(QueueUrl=self._inbox, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        for message in answer.get("Messages", []):
            if message["Body"].startswith('{"version"'):  # CloudWatch's alarms go to the same topic
                self.alerts.append((time.time(), Alert.model_validate_json(message["Body"])))
            sqs.delete_message(QueueUrl=self._inbox, ReceiptHandle=message["ReceiptHandle"])

    def told(self, event: str) -> list[tuple[float, Alert]]:
        """The alerts with this event, and when they came."""
        return [(at, alert) for at, alert in self.alerts if alert.event == event]

    def until(self, condition: Callable[[], Any], patience: float = 60.0) -> Any:
        """Receive alerts until the condition gives something true."""
        ends_at = time.monotonic() + patience
        while not (found := condition()):
            assert time.monotonic() < ends_at, f"nothing came of it in {patience} s"
            self.receive()
            time.sleep(0.1)
        return found

    def speech_calls(self, outcome: str) -> int:
        """Calls of OpenAI's speech that ended so, as the simulator counted them."""
        rows = self.relay.simulator.client.stats()["rows"]
        return sum(row["by_outcome"].get(outcome, 0) for row in rows if row["operation"] == "speech")


@contextmanager
def steady_requests(relay: Relay, name: str, *, per_second: float) -> Iterator[list[str]]:
    """Speech requests at that rate while the block runs; their ids."""
    ids: list[str] = []
    stop = threading.Event()

    def publish() -> None:
        number = 0
        while not stop.is_set():
            batch = [f"{name}-{number + n}" for n in range(2)]
            number += 2
            relay.publish([tts(f"steady {request_id}", request_id=request_id) for request_id in batch])
            ids.extend(batch)
            stop.wait(2 / per_second)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield ids
    finally:
        stop.set()
        thread.join()
