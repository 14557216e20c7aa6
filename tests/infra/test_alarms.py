"""Alarms see what fails: each function's errors and throttles, what waits, what cannot be read, what is silent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.template import load_template, of_type
from tools.localaws.fixes.cloudwatch.alarm_rule import AlarmRule

Template = dict[str, Any]
FUNCTIONS = sorted(of_type(load_template(), "AWS::Serverless::Function"))


def watching(template: Template, metric: str, **dimensions: Any) -> list[dict[str, Any]]:
    wanted = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    alarms = of_type(template, "AWS::CloudWatch::Alarm").values()
    return [alarm for alarm in alarms if alarm["MetricName"] == metric and alarm["Dimensions"] == wanted]


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_has_its_alarms(template: Template, function: str, metric: str) -> None:
    (alarm,) = watching(template, metric, FunctionName={"Ref": function})
    assert (alarm["Namespace"], alarm["Statistic"]) == ("AWS/Lambda", "Sum")
    assert 0 < alarm["DatapointsToAlarm"] <= alarm["EvaluationPeriods"]


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_an_alarm_is_deployed_where_its_function_is(template: Template, function: str, metric: str) -> None:
    resources = template["Resources"]
    alarm = resources[f"{function.removesuffix('Function')}{metric}Alarm"]
    assert alarm.get("Condition") == resources[function].get("Condition")


def test_only_silence_of_the_sweep_is_alarming_in_itself(template: Template) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    silent = {name for name, alarm in alarms.items() if "InsufficientDataActions" in alarm}
    assert silent == {"SweepSilentAlarm"}
    assert alarms["SweepSilentAlarm"]["InsufficientDataActions"] == [{"Ref": "ProviderAlertsTopic"}]
    assert {name for name, alarm in alarms.items() if alarm["TreatMissingData"] != "notBreaching"} == silent


def test_no_alarm_rings_on_a_stack_that_nothing_was_heard_of(template: Template) -> None:
    """CloudWatch user guide, "Configuring how CloudWatch alarms treat missing data"; an alarm begins without data."""
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        rule = AlarmRule.of({**alarm, "Period": 60, "Threshold": 1})
        wanted = "INSUFFICIENT_DATA" if "InsufficientDataActions" in alarm else "OK"
        assert rule.state([None] * rule.evaluation_range, "INSUFFICIENT_DATA") == wanted, name


@pytest.mark.parametrize("metric", ["ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesDelayed"])
@pytest.mark.parametrize("queue", ["RequestQueue", "PictureQueue"])
def test_what_waits_in_the_queues_is_watched(template: Template, queue: str, metric: str) -> None:
    assert watching(template, metric, QueueName={"Fn::GetAtt": [queue, "QueueName"]})
