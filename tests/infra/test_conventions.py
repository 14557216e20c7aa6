"""Names, logs, alarms and runbooks, parameters, outputs: what people and tools rely on."""

import re
from typing import Any

import pytest

from mediarelay.bootstrap.aggregate import AggregateSettings
from mediarelay.bootstrap.alerts import AlertSettings
from mediarelay.bootstrap.announce import AnnounceSettings, UsageSettings
from mediarelay.bootstrap.api import ApiSettings
from mediarelay.bootstrap.dispatch import DispatchSettings
from mediarelay.bootstrap.probes import ProbeSettings
from mediarelay.bootstrap.settings import ProviderSettings, Settings
from mediarelay.bootstrap.speech import SpeakSettings
from mediarelay.bootstrap.telling.callbacks import CallbackSettings
from mediarelay.bootstrap.telling.events import EventSettings
from mediarelay.bootstrap.web.authorize import AuthorizeSettings
from mediarelay.bootstrap.web.openai import OpenAiSettings
from mediarelay.bootstrap.web.waiting import WaitSettings
from mediarelay.bootstrap.web.webhook import WebhookSettings
from mediarelay.keys.parsing import CREDENTIALS
from mediarelay.providers.credentials import FunctionRole
from mediarelay.providers.listing import base_url_variables
from mediarelay.providers.parsing import parse_base_urls
from tests.harness.template import ROOT, anchors, load_template, of_type

Template = dict[str, Any]
FUNCTIONS = sorted(of_type(load_template(), "AWS::Serverless::Function"))
PHYSICAL_NAMES = {
    f"{kind}Name" for kind in ("Alarm", "Bucket", "Function", "Layer", "LogGroup", "Queue", "Role", "Table", "Topic")
}
OUTPUTS = {
    "RequestQueueUrl",
    "PictureQueueUrl",
    "RequestDlqUrl",
    "LostRequestQueueUrl",
    "JobsTableName",
    "TelemetryTableName",
    "ResultsBucketName",
    "MediaResultsTopicArn",
    "ProviderAlertsTopicArn",
    "AnnounceDlqUrl",
    "EndedJobsDlqUrl",
    "ReplyPrefix",
    "MediaJobStateMachineArn",
    "LongSpeechStateMachineArn",
    "SpeakPartFunctionName",
    "SteerSpeechFunctionName",
    "SubmitJobFunctionName",
    "PollJobFunctionName",
    "SettleJobFunctionName",
    "DispatchRequestFunctionName",
    "DrawPictureFunctionName",
    "AnnounceResultFunctionName",
    "AggregateDlqUrl",
    "UsageDlqUrl",
    "UsageTableName",
    "AggregateHealthFunctionName",
    "AlertDlqUrl",
    "AlertOperatorsFunctionName",
    "ProbeProvidersFunctionName",
    "ApiUrl",
    "OpenaiUrl",
    "CallbackQueueUrl",
    "EventsQueueUrl",
    "EventsDlqUrl",
    "ChatAlertsTopicArn",
    "ForwardEventsFunctionName",
    "CallbackDlqUrl",
    "DeliverCallbackFunctionName",
}
# Read by the libraries or by code whose variable names are data, not by a settings model.
READ_ELSEWHERE = {
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_LOG_LEVEL",
    "AWS_ENDPOINT_URL",
    "PYDANTIC_DISABLE_PLUGINS",
    *(each.allowed_by for each in CREDENTIALS.values() if isinstance(each, FunctionRole)),
}
# Set for every function by Globals; not each of them needs all.
SHARED = {"STAGE", "OPENAI_SERVERS", "OPTIONS_POLICY", "RESULTS_BUCKET"}


def environment_names(template: Template, function: str) -> set[str]:
    common = template["Globals"]["Function"]["Environment"]["Variables"]
    own = template["Resources"][function]["Properties"]["Environment"]["Variables"]
    return {*common, *own}


def headings(markdown: str) -> set[str]:
    """The anchors that the headings of a page get, as GitHub makes them."""
    titles = re.findall(r"^#+\s+(.+?)\s*$", markdown, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_calls_providers_is_told_where_they_are(template: Template, function: str) -> None:
    own = template["Resources"][function]["Properties"]["Environment"]["Variables"]
    calls = "KEYS_SECRET_ID" in own
    assert (own.get("PROVIDER_BASE_URLS") == {"Ref": "ProviderBaseUrls"}) is calls
    assert parse_base_urls(template["Parameters"]["ProviderBaseUrls"]["Default"], base_url_variables()) == {}


def test_nothing_has_a_physical_name_so_that_two_stacks_can_coexist(template: Template) -> None:
    named = {
        f"{logical_id}.{name}"
        for logical_id, resource in template["Resources"].items()
        for name in PHYSICAL_NAMES & resource.get("Properties", {}).keys()
    }

    assert named == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_is_one_file_called_app(template: Template, function: str) -> None:
    folder = re.sub(r"(?<!^)([A-Z])", r"_\1", function.removesuffix("Function")).lower()

    assert template["Globals"]["Function"]["Handler"] == "app.handler"
    assert template["Resources"][function]["Properties"]["CodeUri"] == f"functions/{folder}/"
    assert template["Resources"][function]["Metadata"] == {"SkipBuild": True}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_logs_to_a_group_of_its_own_that_forgets(template: Template, function: str) -> None:
    group = template["Resources"][function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]

    assert group == function.removesuffix("Function") + "Logs"
    assert template["Resources"][group]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


@pytest.mark.parametrize(
    ("function", "settings"),
    [
        ("DispatchRequestFunction", DispatchSettings),
        ("DrawPictureFunction", DispatchSettings),
        ("AnnounceResultFunction", AnnounceSettings),
        ("AggregateHealthFunction", AggregateSettings),
        ("CountUsageFunction", UsageSettings),
        ("AlertOperatorsFunction", AlertSettings),
        ("ServeApiFunction", ApiSettings),
        ("AuthorizeRequestFunction", AuthorizeSettings),
        ("AnswerOpenaiFunction", OpenAiSettings),
        ("WaitForJobFunction", WaitSettings),
        ("ProbeProvidersFunction", ProbeSettings),
        ("ReceiveWebhookFunction", WebhookSettings),
        ("DeliverCallbackFunction", CallbackSettings),
        ("ForwardEventsFunction", EventSettings),
        ("SubmitJobFunction", ProviderSettings),
        ("PollJobFunction", ProviderSettings),
        ("SettleJobFunction", ProviderSettings),
        ("SpeakPartFunction", SpeakSettings),
        ("SteerSpeechFunction", ProviderSettings),
    ],
)
def test_function_gets_the_environment_that_its_settings_read(
    template: Template, function: str, settings: type[Settings]
) -> None:
    read = {str(field.alias) for field in settings.model_fields.values()}
    given = environment_names(template, function)

    assert read <= given
    assert given - read <= READ_ELSEWHERE | SHARED


@pytest.mark.parametrize("function", ["DispatchRequestFunction", "DrawPictureFunction"])
def test_the_worker_is_told_how_much_disk_it_has(template: Template, function: str) -> None:
    properties = template["Resources"][function]["Properties"]

    assert properties["EphemeralStorage"]["Size"] == properties["Environment"]["Variables"]["DISK_MEGABYTES"]
    assert template["Parameters"]["DiskMegabytes"]["Default"] == DispatchSettings.model_fields["disk_megabytes"].default


def test_every_alarm_is_heard_and_says_where_its_runbook_is(template: Template) -> None:
    alarms = of_type(template, "AWS::CloudWatch::Alarm")

    assert alarms
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "ProviderAlertsTopic"}], name
        assert anchors(template)[name].startswith("docs/operations.md#"), name


def test_alarms_on_metrics_of_ours_name_the_function_that_counts_them(template: Template) -> None:
    """Powertools adds the dimension `service` to whatever a function counts, and an alarm must name each dimension."""
    resources = template["Resources"]
    variables = [resources[name]["Properties"]["Environment"]["Variables"] for name in FUNCTIONS]
    services = {each["POWERTOOLS_SERVICE_NAME"] for each in variables}
    alarms = of_type(template, "AWS::CloudWatch::Alarm").values()
    ours = [alarm for alarm in alarms if alarm["Namespace"] == "mediarelay"]
    assert ours
    for alarm in ours:
        dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
        assert dimensions["stage"] == {"Ref": "Stage"}
        assert dimensions["service"] in services


def test_every_runbook_reference_leads_to_a_heading(template: Template) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    wanted = {reference.partition("#")[2] for reference in anchors(template).values()}

    assert wanted - headings(page) == set()


def test_alarms_may_publish_to_the_encrypted_topic(template: Template) -> None:
    resources = template["Resources"]
    key = resources["TopicsKey"]["Properties"]["KeyPolicy"]["Statement"]
    topic = resources["ProviderAlertsTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    alarms = {"Service": "cloudwatch.amazonaws.com"}

    assert [s["Action"] for s in key if s["Principal"] == alarms] == [["kms:Decrypt", "kms:GenerateDataKey"]]
    assert [s["Action"] for s in topic if s["Principal"] == alarms] == ["sns:Publish"]


def test_parameters_are_described_and_their_defaults_deploy(template: Template) -> None:
    for name, parameter in template["Parameters"].items():
        assert parameter["Description"], name
        assert "Default" in parameter, name


def test_outputs_are_what_the_tools_read(template: Template) -> None:
    assert set(template["Outputs"]) == OUTPUTS
    assert all(output["Description"] for output in template["Outputs"].values())


def test_every_runtime_and_processor_has_a_layer_target(template: Template) -> None:
    parameters = template["Parameters"]
    wanted = {
        f"{runtime}-{architecture}"
        for runtime in parameters["Runtime"]["AllowedValues"]
        for architecture in parameters["Architecture"]["AllowedValues"]
    }

    assert {path.parent.name for path in (ROOT / "shared" / "targets").glob("*/Makefile")} == wanted
