import json

import pytest

from tools.localaws.fixes.cloudwatch.alarm_rule import AlarmRule
from tools.localaws.tests.server import never, policy_for, until

GAP = None


# The tables of "How alarm state is evaluated when data is missing" in the CloudWatch guide, newest datapoint first.
@pytest.mark.parametrize(
    ("needed", "datapoints", "missing", "ignore", "breaching", "not_breaching"),
    [
        (3, [9, GAP, 9, GAP, 0], "OK", "OK", "OK", "OK"),
        (3, [0, GAP, GAP, GAP, GAP], "OK", "OK", "OK", "OK"),
        (3, [GAP] * 5, "INSUFFICIENT_DATA", "was", "ALARM", "OK"),
        (3, [9, GAP, 9, 9, 0], "ALARM", "ALARM", "ALARM", "ALARM"),
        (3, [GAP, GAP, 9, GAP, GAP], "ALARM", "was", "ALARM", "OK"),
        (2, [9, GAP, 9, GAP, 0], "ALARM", "ALARM", "ALARM", "ALARM"),
        (2, [9, 0, 9, 0, 0], "ALARM", "ALARM", "ALARM", "ALARM"),
        (2, [GAP, GAP, 9, GAP, 0], "OK", "OK", "ALARM", "OK"),
        (2, [0, GAP, GAP, GAP, GAP], "OK", "OK", "ALARM", "OK"),
        (2, [9, GAP, GAP, GAP, GAP], "ALARM", "was", "ALARM", "OK"),
    ],
)
def test_missing_data_is_treated_as_cloudwatch_documents(needed, datapoints, missing, ignore, breaching, not_breaching):
    def state(treatment):
        rule = AlarmRule(60, 3, needed, 5, "GreaterThanThreshold", treatment)
        return rule.state(datapoints, "was")

    found = [state(treatment) for treatment in ("missing", "ignore", "breaching", "notBreaching")]
    assert found == [missing, ignore, breaching, not_breaching]


def test_settings_default_as_in_put_metric_alarm():
    rule = AlarmRule.of({"ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 4})
    assert rule == AlarmRule(60, 4, 4, 0.0, "LessThanThreshold", "missing")


def put_alarm(local, provider, **settings):
    name = f"{local.name}-{provider}"
    local.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace=local.name,
        MetricName="errors",
        Dimensions=[{"Name": "provider", "Value": provider}],
        Statistic="Sum",
        Period=1,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        **settings,
    )
    return lambda: local.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["StateValue"]


def put_error(local, provider):
    datum = {"MetricName": "errors", "Value": 3, "Dimensions": [{"Name": "provider", "Value": provider}]}
    local.client("cloudwatch").put_metric_data(Namespace=local.name, MetricData=[datum])


@pytest.mark.stack
def test_an_alarm_watches_the_metric_its_dimensions_name(local):
    state = put_alarm(local, "fal-flux")
    put_error(local, "openai-tts")
    if local.fixed:
        assert never(lambda: state() == "ALARM", 1)
    else:
        assert state() == "ALARM"


@pytest.mark.stack
def test_an_alarm_recovers_by_itself_and_runs_its_actions_both_ways(local):
    topic = local.client("sns").create_topic(Name=local.name)["TopicArn"]
    url, arn = local.queue(Policy=policy_for(topic))
    raw = {"RawMessageDelivery": "true"}
    local.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
    state = put_alarm(local, "openai-tts", TreatMissingData="notBreaching", AlarmActions=[topic], OKActions=[topic])
    if local.fixed:
        until(lambda: state() == "OK")
    put_error(local, "openai-tts")
    until(lambda: state() == "ALARM")
    if local.fixed:
        until(lambda: state() == "OK")
        # Its first state, OK, is a change from INSUFFICIENT_DATA.
        told = []
        until(lambda: told.extend(states(local.received(url))) or len(told) == 3)
        assert sorted(told) == ["ALARM", "OK", "OK"]
    else:
        assert never(lambda: state() != "ALARM", 4)


def states(messages) -> list[str]:
    return [json.loads(message["Body"])["NewStateValue"] for message in messages]
