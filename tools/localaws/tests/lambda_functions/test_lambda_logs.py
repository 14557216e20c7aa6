import re

import pytest

pytestmark = pytest.mark.stack

# Stock waits this long for a first line of output.
STOCK_WAIT_MS = 50
ATTEMPTS = 40


def billed(local, function) -> int:
    """The duration of the last invocation, in ms, as its REPORT line tells."""
    messages = log(local, function)
    report = [message for message in messages if message.startswith("REPORT")][-1]
    return int(float(re.search(r"Duration: ([\d.]+) ms", report)[1]))


def log(local, function) -> list[str]:
    events = local.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function.name}")["events"]
    return [event["message"].rstrip() for event in events]


def test_a_silent_handler_does_not_wait_for_a_log_line(local):
    function = local.function("def handler(event, context): return 1\n")
    durations = []
    for _ in range(ATTEMPTS if local.fixed else 3):
        function.invoke()
        durations.append(billed(local, function))
        if durations[-1] < STOCK_WAIT_MS:
            break
    assert (min(durations) < STOCK_WAIT_MS) is local.fixed


def test_every_line_belongs_to_the_log_and_an_unfinished_last_line_too(local):
    function = local.function("def handler(event, context):\n    print('one')\n    print('two', end='')\n")
    function.invoke()
    assert "one" in log(local, function)
    # Stock keeps an unfinished line back until the next invocation completes it.
    assert ("two" in log(local, function)) is local.fixed


def test_an_exception_is_in_the_log_with_its_trace(local):
    function = local.function("def handler(event, context): raise ValueError('boom')\n")
    function.invoke()
    text = "\n".join(log(local, function))
    assert "Traceback" in text
    assert ("[ERROR] ValueError: boom" in text) is local.fixed
