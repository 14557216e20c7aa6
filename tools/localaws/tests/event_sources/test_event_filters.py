import json

import pytest

from tools.localaws.fixes.event_sources.event_pattern import matches
from tools.localaws.tests.server import never, until

S = "S"


@pytest.mark.parametrize(
    ("pattern", "record", "expected"),
    [
        ({"a": ["x"]}, {"a": "x"}, True),
        ({"a": ["x"]}, {}, False),
        ({"a": ["x", "y"], "b": [1]}, {"a": "y", "b": 1.0}, True),
        ({"a": ["x", "y"], "b": [1]}, {"a": "y", "b": "1"}, False),
        ({"a": [1]}, {"a": True}, False),
        ({"a": [None]}, {"a": None}, True),
        ({"a": [None]}, {}, False),
        ({"a": ["x"]}, {"a": ["w", "x"]}, True),
        ({"a": {"b": ["x"]}}, {"a": {"b": "x", "c": 1}}, True),
        ({"a": {"b": ["x"]}}, {"a": "x"}, False),
        ({"a": [{"prefix": "M#"}]}, {"a": "M#1"}, True),
        ({"a": [{"prefix": "M#"}]}, {"a": 1}, False),
        ({"a": [{"prefix": {"equals-ignore-case": "m#"}}]}, {"a": "M#1"}, True),
        ({"a": [{"suffix": ".wav"}]}, {"a": "x.wav"}, True),
        ({"a": [{"equals-ignore-case": "tts"}]}, {"a": "TTS"}, True),
        ({"a": [{"equals-ignore-case": "tts"}]}, {"a": "image"}, False),
        ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "z"}, True),
        ({"a": [{"anything-but": ["x", "y"]}]}, {"a": "x"}, False),
        ({"a": [{"anything-but": "x"}]}, {}, False),
        ({"a": [{"anything-but": {"prefix": "M#"}}]}, {"a": "M#1"}, False),
        ({"a": [{"anything-but": {"prefix": ["M#", "B#"]}}]}, {"a": "B#1"}, False),
        ({"a": [{"anything-but": {"prefix": "M#"}}]}, {"a": "H"}, True),
        ({"a": [{"anything-but": {"prefix": "M#"}}]}, {}, False),
        ({"a": [{"anything-but": {"suffix": "s"}}]}, {"a": "keys"}, False),
        ({"a": [{"exists": True}]}, {"a": "x"}, True),
        ({"a": [{"exists": True}]}, {"a": {"S": "x"}}, False),
        ({"a": [{"exists": False}]}, {}, True),
        ({"a": {"b": [{"exists": False}]}}, {}, True),
        ({"a": [{"exists": False}]}, {"a": "x"}, False),
        ({"a": [{"numeric": [">", 5, "<=", 7]}]}, {"a": 7}, True),
        ({"a": [{"numeric": [">", 5, "<=", 7]}]}, {"a": 5}, False),
        ({"a": {"N": [{"numeric": [">", 5]}]}}, {"a": {"N": "7"}}, False),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "y"}, True),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": "y"}, False),
        ({"$or": [{"a": ["x"]}, {"b": ["y"]}], "c": [1]}, {"b": "y", "c": 2}, False),
        ({}, {"a": 1}, True),
    ],
)
def test_a_pattern_matches_as_on_aws(pattern, record, expected):
    assert matches(record, pattern) is expected


def test_an_operator_aws_does_not_know_delivers_rather_than_loses(caplog):
    assert matches({"a": "x"}, {"a": [{"sounds-like": "y"}]})
    assert "sounds-like" in caplog.text


NOTE_BODIES = "def handler(event, context): note(bodies=[r['body'] for r in event['Records']])\n"
NOTE_KEYS = "def handler(event, context): note(keys=[r['dynamodb']['Keys']['pk']['S'] for r in event['Records']])\n"


def criteria(pattern):
    return {"Filters": [{"Pattern": json.dumps(pattern)}]}


@pytest.mark.stack
@pytest.mark.parametrize(
    "pattern",
    [
        {"body": {"$or": [{"kind": ["tts"]}, {"urgent": [True]}]}},
        {"body": {"kind": [{"equals-ignore-case": "TTS"}]}},
    ],
)
def test_a_queue_filter_delivers_what_it_matches_and_drops_the_rest(local, pattern):
    function = local.function(NOTE_BODIES)
    url, arn = local.queue()
    local.map(function, arn, BatchSize=10, FilterCriteria=criteria(pattern))
    local.send(url, '{"kind": "image"}', '{"kind": "tts"}')
    if local.fixed:
        assert until(lambda: function.noted("bodies")) == [['{"kind": "tts"}']]
    # Stock deletes both messages, and the function never sees one.
    until(lambda: in_queue(local, url) == 0)
    assert bool(function.noted("bodies")) is local.fixed


def in_queue(local, url) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = local.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(value) for value in attributes.values())


@pytest.mark.stack
@pytest.mark.parametrize(
    "pattern",
    [
        {"dynamodb": {"Keys": {"pk": {S: [{"anything-but": {"prefix": "skip"}}]}}}},
        {"$or": [{"dynamodb": {"Keys": {"pk": {S: ["take"]}}}}, {"eventName": ["REMOVE"]}]},
    ],
)
def test_a_stream_filter_lets_through_what_it_matches(local, pattern):
    function = local.function(NOTE_KEYS)
    table, stream = local.table()
    local.put(table, "skip-1", "take")
    local.map(function, stream, BatchSize=10, FilterCriteria=criteria(pattern))
    if local.fixed:
        assert until(lambda: function.noted("keys")) == [["take"]]
    elif "$or" in pattern:
        assert never(lambda: function.noted("keys"), 1)
    else:
        assert until(lambda: function.noted("keys")) == [["skip-1", "take"]]


@pytest.mark.stack
def test_a_number_pattern_does_not_match_what_dynamodb_stores_as_a_string(local):
    function = local.function(NOTE_KEYS)
    table, stream = local.table()
    numeric = {"dynamodb": {"NewImage": {"n": {"N": [{"numeric": [">", 5]}]}}}}
    string = {"dynamodb": {"Keys": {"pk": {S: ["last"]}}}}
    filters = {"Filters": [{"Pattern": json.dumps(numeric)}, {"Pattern": json.dumps(string)}]}
    local.put(table, "seven", "last")
    local.map(function, stream, BatchSize=10, FilterCriteria=filters)
    assert until(lambda: function.noted("keys")) == [["last"] if local.fixed else ["seven", "last"]]
