"""`make deploy` and `make doctor`: what they look at, what they say, and that no secret is among it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest
import responses
from moto import mock_aws

from tests.harness.template import load_template
from tests.tools.deployment.aws_account import AwsAccount
from tools.deployment.deploy import Deployment
from tools.deployment.doctor import Doctor
from tools.deployment.findings import told

KEYS: Final = "mediarelay/provider-keys"
TOKENS: Final = "mediarelay/api-tokens"
SECRET: Final = "nobody-must-see-this"
REGION: Final = {"AWS_DEFAULT_REGION": "eu-central-1"}
MODELS: Final = "https://api.openai.com/v1/models"


@pytest.fixture
def account() -> Iterator[AwsAccount]:
    with mock_aws():
        yield AwsAccount()


def store(account: AwsAccount, name: str, document: Any) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    account.client("secretsmanager").create_secret(Name=name, SecretString=text)


def deployment(
    account: AwsAccount, *, confirm: bool = True, region: dict[str, str] = REGION, **given: str
) -> Deployment:
    return Deployment(account, "dev", given, confirm, region)


class Sam:
    """Notes what it is called with; `failing` is the command that fails."""

    def __init__(self, failing: str = "") -> None:
        self.calls: list[list[str]] = []
        self._failing = failing

    def __call__(self, command: Sequence[str]) -> int:
        self.calls.append(list(command[1:]))
        return 3 if command[1] == self._failing else 0


def overridden(call: list[str]) -> set[str]:
    return set(call[call.index("--parameter-overrides") + 1 :])


def faults(capsys: pytest.CaptureFixture[str]) -> list[str]:
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    return said.err.splitlines()


# --- deploy ---------------------------------------------------------------------------------------------------------


def test_an_unattended_deployment_builds_deploys_and_says_what_would_stay(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    store(account, TOKENS, [{"name": "ann", "token": SECRET, "expires_at": 1}])
    sam = Sam()
    given = {"MaximumConcurrency": "50", "HealthThresholds": '{"openai-tts":{"healthy_seconds":3}}'}
    assert deployment(account, confirm=False, **given).deploy(sam) == 0
    build, deploy = sam.calls
    assert [build[0], deploy[0]] == ["build", "deploy"]
    assert overridden(build) == {'Runtime="python3.13"', 'Architecture="arm64"'}
    assert "--no-confirm-changeset" in deploy
    assert deploy[deploy.index("--region") + 1] == "eu-central-1"
    assert overridden(deploy) > {'Stage="dev"', 'MaximumConcurrency="50"'}
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    kept = [name for name, made in load_template()["Resources"].items() if "Retain" in made.get("DeletionPolicy", "")]
    assert kept == ["JobsTable", "UsageTable", "ResultsBucket"]
    assert all(name in said.out for name in [*kept, KEYS, TOKENS])


def test_a_person_is_asked_unless_told_otherwise(account: AwsAccount) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    sam = Sam()
    assert deployment(account).deploy(sam) == 0
    assert "--confirm-changeset" in sam.calls[1]


def test_a_build_that_fails_ends_the_deployment(account: AwsAccount) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    sam = Sam(failing="build")
    assert deployment(account).deploy(sam) == 3
    assert len(sam.calls) == 1


def test_the_layer_is_built_for_the_runtime_that_the_stack_has(account: AwsAccount) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    parameters = [{"ParameterKey": "Runtime", "ParameterValue": "python3.12"}]
    account.stacks["mediarelay-dev"] = {"StackStatus": "UPDATE_COMPLETE", "Parameters": parameters}
    sam = Sam()
    assert deployment(account).deploy(sam) == 0
    assert all('Runtime="python3.12"' in overridden(call) for call in sam.calls)


def refused(account: AwsAccount, capsys: pytest.CaptureFixture[str], **how: Any) -> str:
    """The one line that a deployment ends with, before it builds anything."""
    sam = Sam()
    assert deployment(account, **how).deploy(sam) == 1
    assert sam.calls == []
    (line,) = faults(capsys)
    return line


def test_a_missing_secret_is_one_line_before_anything_is_built(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(account, capsys)
    assert f"the secret {KEYS} is missing in eu-central-1" in line
    assert "create-secret" in line


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (SECRET, "is not a JSON object"),
        ([SECRET], "is not a JSON object"),
        ({"OPENAI_API_KEYS": f"{SECRET} and more"}, "OPENAI_API_KEYS[0]: key must be printable ASCII"),
        ({"OPENAI_API_KEYS": [{"key": SECRET, "accoutn": "a"}]}, "field 'accoutn' is not known"),
        ({"OPENAI_API_KEYS": "k", "VOICES": {"ann": {"gender": SECRET}}}, "VOICES.ann"),
        ({}, "has no vendor's keys"),
        ({"OPENAI_KEYS": SECRET}, "has no vendor's keys"),
    ],
)
def test_a_malformed_secret_is_one_line_without_the_secret(
    account: AwsAccount, capsys: pytest.CaptureFixture[str], document: Any, said: str
) -> None:
    store(account, KEYS, document)
    assert said in refused(account, capsys)


@pytest.mark.parametrize(
    "document",
    [SECRET, {"token": SECRET}, [{"name": "ann", "token": SECRET}], [{"name": "ann", SECRET: 1, "token": SECRET}]],
)
def test_malformed_tokens_are_refused_without_the_tokens(
    account: AwsAccount, capsys: pytest.CaptureFixture[str], document: Any
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    store(account, TOKENS, document)
    assert f"the secret {TOKENS} is no list of tokens" in refused(account, capsys)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "of the budgets is missing in eu-central-1: aws ssm put-parameter --name /budgets"),
        ("{", "the parameter /budgets holds no budgets"),
        ('{"tenants": {"acme": {"month_usd": -1}}}', "holds no budgets: tenants.acme.month_usd"),
    ],
)
def test_budgets_that_could_not_be_read_are_one_line_before_anything_is_built(
    account: AwsAccount, capsys: pytest.CaptureFixture[str], document: str | None, said: str
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    if document is not None:
        account.client("ssm").put_parameter(Name="/budgets", Type="String", Value=document)
    assert said in refused(account, capsys, BudgetsParameter="/budgets")


def test_budgets_that_can_be_read_are_told_and_would_stay(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    account.client("ssm").put_parameter(Name="/budgets", Type="String", Value='{"stage": {"day_usd": 5}}')
    assert deployment(account, confirm=False, BudgetsParameter="/budgets").deploy(Sam()) == 0
    said = capsys.readouterr().out
    assert "the parameter /budgets: budgets of 0 tenants, one of all" in said
    assert "the parameter /budgets of the budgets: the stack did not create it" in said


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "the secret mediarelay/callback-secrets is missing"),
        ("[]", "is not a JSON object of secrets by host"),
        ({"hooks.example.com": [SECRET]}, "hooks.example.com: must be whsec_"),
        ({SECRET + "_": ["whsec_" + "a2tr" * 12]}, "a name that is no host"),
        ({"other.example.com": ["whsec_" + "a2tr" * 12]}, "has none for hooks.example.com"),
    ],
)
def test_who_would_not_be_called_back_is_told_before_anything_is_built(
    account: AwsAccount, capsys: pytest.CaptureFixture[str], document: Any, said: str
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": "k"})
    if document is not None:
        store(account, "mediarelay/callback-secrets", document)
    sam = Sam()
    assert deployment(account, CallbackHosts="hooks.example.com").deploy(sam) == 1
    assert sam.calls == []
    assert said in faults(capsys)[0]


def test_a_field_that_nothing_reads_is_told_unless_it_may_be_a_key(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": "k", "OPENAI_KEYS": "k", SECRET: "k"})
    assert deployment(account).deploy(Sam()) == 0
    said = capsys.readouterr()
    assert "OPENAI_KEYS, one whose name is not told" in said.out
    assert SECRET not in said.out + said.err


@pytest.mark.parametrize(
    ("region", "environment", "said"),
    [
        ("eu-central-9", {"AWS_DEFAULT_REGION": "eu-central-9"}, "AWS has no region eu-central-9"),
        ("", {}, "no region is named"),
        ("us-east-1", {"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "eu-west-1"}, "two regions are named"),
    ],
)
def test_a_wrong_region_is_one_line_and_nothing_else_is_asked(
    capsys: pytest.CaptureFixture[str], region: str, environment: dict[str, str], said: str
) -> None:
    assert said in refused(AwsAccount(region_name=region), capsys, region=environment)


def test_an_account_that_allows_too_little_is_told_what_would_fit(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    account.concurrency = 10  # what new accounts have
    assert (
        "MaximumConcurrency=2 RequestPollers=0 PictureConcurrency=2 PicturePollers=0"
        " OpenAiConcurrency=0 WaitConcurrency=0" in refused(account, capsys)
    )
    few = {"MaximumConcurrency": "2", "PictureConcurrency": "2"}
    assert "deploy with OpenAiConcurrency=0 WaitConcurrency=0" in refused(account, capsys, **few)
    assert deployment(account, **few, OpenAiConcurrency="0", WaitConcurrency="0").deploy(Sam()) == 0
    assert "ask AWS for more" in capsys.readouterr().out


def test_what_is_reserved_leaves_a_hundred_to_all_others(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    account.concurrency = 139
    assert "deploy with OpenAiConcurrency=0 WaitConcurrency=0" in refused(account, capsys)
    account.concurrency = 140
    assert deployment(account).deploy(Sam()) == 0


def test_pollers_bring_ten_workers_each_and_one_alone_is_refused(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    account.concurrency = 140
    assert deployment(account, RequestPollers="12").deploy(Sam()) == 0
    assert "may take 130" in capsys.readouterr().out
    assert "150 workers" in refused(account, capsys, RequestPollers="14")
    assert "PicturePollers=1" in refused(account, capsys, PicturePollers="1")


def test_few_transitions_are_refused_and_those_nobody_tells_of_are_not(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    account.transitions = 5
    assert "5 state transitions a second" in refused(account, capsys)
    account.transitions = None
    assert deployment(account).deploy(Sam()) == 0
    assert "could not ask Service Quotas" in capsys.readouterr().out


def test_a_parameter_that_the_template_has_not_is_refused(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    assert "no parameter MaximumConcurency" in refused(account, capsys, MaximumConcurency="50")


# --- doctor ---------------------------------------------------------------------------------------------------------


def stand(account: AwsAccount, **parameters: str) -> dict[str, str]:
    """A deployed stack with one alarm, its topic and two queues. Returns its outputs."""
    topic = account.client("sns").create_topic(Name="alerts")["TopicArn"]
    queues = {
        name: account.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("RequestQueue", "RequestDlq")
    }
    account.client("cloudwatch").put_metric_alarm(
        AlarmName="dlq",
        MetricName="m",
        Namespace="n",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic],
    )
    defaults = {name: str(each["Default"]) for name, each in load_template()["Parameters"].items()}
    outputs = {"ProviderAlertsTopicArn": topic, **{f"{name}Url": url for name, url in queues.items()}}
    account.stacks["mediarelay-dev"] = {
        "StackStatus": "CREATE_COMPLETE",
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in {**defaults, **parameters}.items()
        ],
        "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()],
    }
    account.resources["mediarelay-dev"] = [
        {"LogicalResourceId": "Dlq", "PhysicalResourceId": "dlq", "ResourceType": "AWS::CloudWatch::Alarm"}
    ]
    return outputs


def subscribe(account: AwsAccount, topic: str) -> None:
    account.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:eu-central-1:123456789012:q")


def examined(account: AwsAccount, capsys: pytest.CaptureFixture[str], answer: int = 200) -> tuple[list[str], str]:
    """The faults that the doctor finds, and what else it says. OpenAI's free call is answered with this status."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as vendor:
        vendor.get(MODELS, json={"data": []}, status=answer)
        found = told(Doctor(account, "mediarelay-dev", REGION).findings())
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    lines = said.err.splitlines()
    assert len(lines) == found
    return lines, said.out


def test_a_stack_that_is_well_has_no_faults(account: AwsAccount, capsys: pytest.CaptureFixture[str]) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET, "KLING_API_KEYS": SECRET})
    outputs = stand(account)
    subscribe(account, outputs["ProviderAlertsTopicArn"])
    found, said = examined(account, capsys)
    assert found == []
    assert "1 alarms, heard by 1 subscribers" in said
    assert "the vendor knows it" in said
    assert "kling: not probed" in said
    assert "by a call that makes nothing and costs nothing" in said


def test_a_rejected_key_is_named_by_its_id(account: AwsAccount, capsys: pytest.CaptureFixture[str]) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    subscribe(account, stand(account)["ProviderAlertsTopicArn"])
    (line,), _ = examined(account, capsys, answer=401)
    assert re.search("openai, key [0-9a-f]{12}: the vendor rejects it", line)


def test_alarms_that_nobody_hears_dead_letters_and_a_missing_secret_are_a_line_each(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = stand(account)
    account.client("sqs").send_message(QueueUrl=outputs["RequestDlqUrl"], MessageBody="dead")
    lines, _ = examined(account, capsys)
    assert [any(part in line for line in lines) for part in ("is missing", "nobody hears", "RequestDlq holds 1")] == [
        True,
        True,
        True,
    ]
    assert len(lines) == 3


def test_an_alarm_whose_action_is_gone_is_a_fault(account: AwsAccount, capsys: pytest.CaptureFixture[str]) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    subscribe(account, stand(account)["ProviderAlertsTopicArn"])
    account.client("cloudwatch").disable_alarm_actions(AlarmNames=["dlq"])
    (line,), _ = examined(account, capsys)
    assert "the alarm dlq tells nobody" in line


def test_the_stack_is_looked_for_in_the_region_that_is_named(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,), _ = examined(account, capsys)
    assert "there is no stack mediarelay-dev in eu-central-1" in line


def test_a_stack_that_failed_to_deploy_is_a_fault(account: AwsAccount, capsys: pytest.CaptureFixture[str]) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    subscribe(account, stand(account)["ProviderAlertsTopicArn"])
    account.stacks["mediarelay-dev"] = {**account.stacks["mediarelay-dev"], "StackStatus": "UPDATE_ROLLBACK_FAILED"}
    (line,), _ = examined(account, capsys)
    assert "UPDATE_ROLLBACK_FAILED" in line


def test_an_alarm_for_silence_that_never_heard_anything_is_a_fault(
    account: AwsAccount, capsys: pytest.CaptureFixture[str]
) -> None:
    store(account, KEYS, {"OPENAI_API_KEYS": SECRET})
    topic = stand(account)["ProviderAlertsTopicArn"]
    subscribe(account, topic)
    cloudwatch = account.client("cloudwatch")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["dlq"])["MetricAlarms"]
    names = ("MetricName", "Namespace", "Period", "EvaluationPeriods", "Threshold", "ComparisonOperator")
    kept = {name: alarm[name] for name in names}
    cloudwatch.put_metric_alarm(AlarmName="dlq", AlarmActions=[topic], InsufficientDataActions=[topic], **kept)
    cloudwatch.set_alarm_state(AlarmName="dlq", StateValue="INSUFFICIENT_DATA", StateReason="nothing came")
    (line,) = examined(account, capsys)[0]
    assert "the alarm dlq hears nothing" in line
