"""Metrics that reach CloudWatch whatever LogLevel is.

AWS Lambda developer guide, "Log-level filtering": Lambda sends no line below the function's `ApplicationLogLevel` to
CloudWatch Logs, and goes by the key `level` of a JSON line. "If the level value field is invalid or missing, Lambda
will assign the log output the level INFO": so it does a metric in the embedded format, which has none.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from mediarelay.metrics.emf import EmfCounters
from tests.harness.template import load_template

SEVERITIES = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
TEMPLATE = load_template()
FUNCTIONS = [name for name, each in TEMPLATE["Resources"].items() if each["Type"] == "AWS::Serverless::Function"]
LEVELS: list[str] = TEMPLATE["Parameters"]["LogLevel"]["AllowedValues"]


def kept(line: str, level: str) -> bool:
    """Whether Lambda sends the line on, as documented."""
    given = str(json.loads(line).get("level", "")).upper()
    return SEVERITIES.index(given if given in SEVERITIES else "INFO") >= SEVERITIES.index(level)


def filter_level(function: str, parameter: str) -> str:
    """What Lambda filters by where LogLevel is *parameter*."""
    common = TEMPLATE["Globals"]["Function"]["LoggingConfig"]
    own: dict[str, Any] = TEMPLATE["Resources"][function]["Properties"].get("LoggingConfig", {})
    level = {**common, **own}.get("ApplicationLogLevel", "INFO")
    if isinstance(level, dict) and "Fn::If" in level:
        condition, then, otherwise = level["Fn::If"]
        assert TEMPLATE["Conditions"][condition] == {"Fn::Equals": [{"Ref": "LogLevel"}, then]}
        return str(then if parameter == then else otherwise)
    return parameter if level == {"Ref": "LogLevel"} else str(level)


@pytest.mark.parametrize("parameter", LEVELS)
def test_lambda_keeps_every_metric_at_any_level(parameter: str, capsys: pytest.CaptureFixture[str]) -> None:
    EmfCounters("mediarelay", "dev").count("LeasesUnavailable", {"provider": "openai-tts"})
    lines = capsys.readouterr().out.splitlines()
    assert lines
    dropped = {name for name in FUNCTIONS for line in lines if not kept(line, filter_level(name, parameter))}
    assert dropped == set()


def test_the_functions_own_logger_is_what_the_parameter_sets() -> None:
    assert TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == {"Ref": "LogLevel"}


@pytest.mark.parametrize("parameter", LEVELS)
def test_lambda_keeps_every_line_that_the_functions_write(parameter: str) -> None:
    line = json.dumps({"level": parameter, "message": "said"})
    assert {name for name in FUNCTIONS if not kept(line, filter_level(name, parameter))} == set()
