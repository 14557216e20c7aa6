"""AWS Lambda developer guide, "Log-level filtering"."""

import json

import pytest

pytestmark = pytest.mark.stack

PRINTS = """
def handler(event, context):
    for line in event["lines"]:
        print(line)
"""
EMF = json.dumps(
    {
        "_aws": {
            "Timestamp": 1,
            "CloudWatchMetrics": [{"Namespace": "n", "Dimensions": [[]], "Metrics": [{"Name": "m"}]}],
        },
        "m": 1,
    }
)
LINES = {
    "debug": '{"level": "DEBUG"}',
    "info": '{"level": "INFO"}',
    "warning": '{"level": "WARNING"}',
    "error": '{"level": "error"}',
    "metric": EMF,
    "nonsense": '{"level": "LOUD"}',
    "text": "no document",
    "list": "[1]",
}
INFO = {"info", "metric", "nonsense", "text", "list"}


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"LogFormat": "JSON"}, set(LINES) - {"debug"}),
        ({"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"}, set(LINES)),
        ({"LogFormat": "JSON", "ApplicationLogLevel": "WARN"}, set(LINES) - {"debug"} - INFO),
        ({"LogFormat": "JSON", "ApplicationLogLevel": "ERROR"}, {"error"}),
        ({"LogFormat": "Text"}, set(LINES)),
    ],
)
def test_lines_below_the_level_are_dropped_and_one_without_a_level_counts_as_info(local, settings, kept):
    function = local.function(PRINTS)
    local.client("lambda").update_function_configuration(FunctionName=function.name, LoggingConfig=settings)
    function.invoke({"lines": list(LINES.values())})
    events = local.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function.name}")["events"]
    written = {event["message"].rstrip() for event in events}
    assert {name for name, line in LINES.items() if line in written} == (kept if local.fixed else set(LINES))
