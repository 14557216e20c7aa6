"""The dead-letter queue of requests, on SQS."""

from __future__ import annotations

from typing import Any

from mediarelay.api.dead_letters.sqs import SqsDeadLetters


def test_what_is_looked_at_is_hidden_until_it_is_released_and_gone_once_it_is_moved(aws: Any) -> None:
    letters = SqsDeadLetters(aws.sqs, aws.dlq_url, aws.queue_url)
    for number in range(12):
        aws.sqs.send_message(QueueUrl=aws.dlq_url, MessageBody=f"text {number}")
    found = letters.look(20)
    assert (len(found), letters.look(20)) == (12, [])
    letters.move(found[0], {"redriven_by": "ann"})
    letters.release(found[1:])
    left = letters.look(20)
    assert {each.body for each in left} == {each.body for each in found[1:]}
    (moved,) = aws.received(aws.queue_url)
    assert (moved["Body"], moved["MessageAttributes"]["redriven_by"]["StringValue"]) == (found[0].body, "ann")
    letters.drop(left[0])
    letters.release(left)
    assert {each.body for each in letters.look(20)} == {each.body for each in left[1:]}


def test_what_is_moved_keeps_its_group_and_as_many_of_its_attributes_as_fit(aws: Any) -> None:
    letters = SqsDeadLetters(aws.sqs, aws.dlq_url, aws.queue_url)
    theirs = {f"mine-{number}": {"DataType": "String", "StringValue": "x"} for number in range(10)}
    aws.sqs.send_message(QueueUrl=aws.dlq_url, MessageBody="text", MessageAttributes=theirs, MessageGroupId="acme")
    (found,) = letters.look(1)
    letters.move(found, {"redriven_by": "ann"})
    (moved,) = aws.received(aws.queue_url)
    assert moved["MessageAttributes"].keys() == {*list(theirs)[:9], "redriven_by"}
    assert moved["Attributes"]["MessageGroupId"] == "acme"
