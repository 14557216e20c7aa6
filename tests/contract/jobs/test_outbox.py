"""The request queue as the API publishes to it, on SQS."""

from __future__ import annotations

import json
from typing import Any

from mediarelay.api.publishing.ports import Outgoing
from mediarelay.api.publishing.sqs import SqsOutbox


def test_messages_go_in_one_call_and_each_has_the_id_by_which_it_is_received(aws: Any) -> None:
    bodies = [json.dumps({"kind": "tts", "input": {"text": f"text {number}"}}) for number in range(3)]
    ids = SqsOutbox(aws.sqs, aws.queue_url).send([Outgoing(body, "acme") for body in bodies])
    received = {each["MessageId"]: each for each in aws.received(aws.queue_url)}
    assert [received[str(name)]["Body"] for name in ids] == bodies


class Refusing:
    """SQS as a client that refuses the second of two."""

    def send_message_batch(self, **call: Any) -> dict[str, Any]:
        """As boto3's."""
        first, second = call["Entries"]
        return {"Successful": [{"Id": first["Id"], "MessageId": "m-1"}], "Failed": [{"Id": second["Id"]}]}


def test_one_that_is_refused_is_none() -> None:
    assert SqsOutbox(Refusing(), "url").send([Outgoing("{}", None), Outgoing("{}", None)]) == ["m-1", None]
