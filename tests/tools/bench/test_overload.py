"""The parts of the overload bench that decide what is counted."""

from __future__ import annotations

import pytest

from tools.bench.lambda_events import record
from tools.bench.overload.case import Case
from tools.bench.overload.server import Key, Vendor


def key(rate: float = 4.0, burst: float = 4.0) -> Key:
    return Key(rate, burst, burst, 0.0)


def test_the_server_serves_a_burst_and_then_the_rate() -> None:
    bucket = key()
    assert [bucket.call(0.0) for _ in range(4)] == [0.0] * 4
    assert bucket.call(0.0) == pytest.approx(0.25)
    assert bucket.call(0.25) == 0.0
    assert bucket.call(0.4) == pytest.approx(0.1)


def test_the_server_counts_by_how_much_it_was_asked_too_often() -> None:
    bucket = key()
    for _ in range(4):
        bucket.call(0.0)
    assert bucket.excess == 0.0
    for _ in range(3):
        bucket.call(0.0)
    assert bucket.excess == 3.0
    bucket.call(100.0)
    assert bucket.excess == 3.0


def test_the_server_tells_sides_apart_by_their_keys() -> None:
    vendor = Vendor(4.0, 4.0)
    vendor.key("ours-0").served += [2.0, 1.0]
    vendor.key("peer-0").refused.append(3.0)
    assert vendor.tally(["ours-0", "ours-1"]) == {"served": [1.0, 2.0], "refused": [], "excess": 0.0}


def test_every_side_gets_the_same_arrivals_at_the_load_that_is_named() -> None:
    case = Case(4, 2.0, told=False)
    assert case.arrivals() == case.arrivals()
    assert len(case.arrivals()) == pytest.approx(2.0 * 20.0 * case.seconds, rel=0.15)
    assert max(case.arrivals()) < case.seconds
    assert set(case.keys("ours")).isdisjoint(case.keys("peer"))
    assert all(name.startswith("silent") for name in case.keys("ours"))


def test_a_received_message_is_what_the_event_source_would_deliver() -> None:
    message = {
        "MessageId": "m",
        "ReceiptHandle": "r",
        "Body": "{}",
        "Attributes": {"SentTimestamp": "1"},
        "MessageAttributes": {"mediarelay_slot": {"StringValue": "[]", "DataType": "String"}},
    }
    told = record(message)
    assert (told["messageId"], told["receiptHandle"], told["body"], told["eventSource"]) == ("m", "r", "{}", "aws:sqs")
    assert told["messageAttributes"] == {"mediarelay_slot": {"stringValue": "[]", "dataType": "String"}}
