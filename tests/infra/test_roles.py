"""Least privilege: one written role per function, and a reason for every wildcard."""

import json
from typing import Any

import pytest

from tests.harness.template import as_list, load_template, of_type, role_statements

Template = dict[str, Any]
ROLES = sorted(of_type(load_template(), "AWS::IAM::Role"))

# Action with `*` as its resource -> why none can be named.
NO_RESOURCE_TO_NAME = {
    "xray:PutTraceSegments": "X-Ray has no resource type for it",
    "xray:PutTelemetryRecords": "X-Ray has no resource type for it",
    "dynamodb:ListStreams": "it lists streams, so it names none",
    "xray:GetSamplingRules": "X-Ray has no resource type for it",
    "xray:GetSamplingTargets": "X-Ray has no resource type for it",
    "polly:SynthesizeSpeech": "only lexicons can be named, and none is used",
    "polly:DescribeVoices": "it has no resource type",
    **dict.fromkeys(
        (
            "logs:CreateLogDelivery",
            "logs:GetLogDelivery",
            "logs:UpdateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:DescribeResourcePolicies",
            "logs:DescribeLogGroups",
        ),
        "a state machine's log delivery has no resource type",
    ),
}
# Trailing wildcard of a resource -> why it is there.
PARTS_OF_A_RESOURCE = {
    "${ResultsBucket.Arn}/image/*/openai/pictures.json": "beside pictures, whose keys are made at run time",
    "${ResultsBucket.Arn}/*": "the objects of our own bucket; their keys are made at run time",
    "-??????": "the six characters that Secrets Manager adds to a secret's ARN",
    "-reply-*": "queues that publishers make for their replies",
    "${MediaJobStateMachine.Name}:*": "the executions of our own state machine; their names are made at run time",
    "${LongSpeechStateMachine.Name}:*": "the executions of our own state machine; their names are made at run time",
}


def assumed_by(template: Template, service: str, kind: str) -> list[str]:
    """The roles of every resource of a kind, each checked to be one that only its service can take on."""
    roles = [each["Role"]["Fn::GetAtt"][0] for each in of_type(template, kind).values()]
    for role in roles:
        statements = template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statements == [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}], role
    return roles


def test_everything_that_acts_has_a_role_of_its_own(template: Template) -> None:
    roles = [
        *assumed_by(template, "lambda.amazonaws.com", "AWS::Serverless::Function"),
        *assumed_by(template, "states.amazonaws.com", "AWS::Serverless::StateMachine"),
    ]

    assert sorted(roles) == ROLES


@pytest.mark.parametrize("role", ROLES)
def test_role_grants_only_what_its_own_statements_say(template: Template, role: str) -> None:
    properties = template["Resources"][role]["Properties"]

    assert "ManagedPolicyArns" not in properties
    assert all(statement["Sid"] and statement["Effect"] == "Allow" for statement in role_statements(template, role))


@pytest.mark.parametrize("role", ROLES)
def test_role_names_its_actions_one_by_one(template: Template, role: str) -> None:
    statements = role_statements(template, role)

    assert [action for statement in statements for action in as_list(statement["Action"]) if "*" in action] == []


@pytest.mark.parametrize("role", ROLES)
def test_role_has_no_wildcard_resource_without_a_reason(template: Template, role: str) -> None:
    for statement in role_statements(template, role):
        for resource in as_list(statement["Resource"]):
            if resource == "*":
                assert set(as_list(statement["Action"])) <= NO_RESOURCE_TO_NAME.keys()
            elif any(sign in json.dumps(resource) for sign in "*?"):
                assert resource["Fn::Sub"].endswith(tuple(PARTS_OF_A_RESOURCE)), resource


def test_polly_is_called_by_three_roles_and_only_where_the_deployment_says_so(template: Template) -> None:
    def allowed(*without: str) -> dict[str, str]:
        statements = ((role, each) for role in ROLES for each in role_statements(template, role, without=without))
        return {role: each["Action"] for role, each in statements if "polly:" in json.dumps(each["Action"])}

    assert template["Conditions"]["HasPollySpeech"] == {"Fn::Equals": [{"Ref": "PollySpeech"}, "on"]}
    assert template["Parameters"]["PollySpeech"]["Default"] == "on"
    assert allowed() == {
        **dict.fromkeys(("DispatchRequestRole", "SpeakPartRole"), "polly:SynthesizeSpeech"),
        "ProbeProvidersRole": "polly:DescribeVoices",
    }
    assert allowed("HasPollySpeech") == {}


def test_each_secret_is_read_by_those_who_need_it_alone(template: Template) -> None:
    readable = {
        role: statement["Resource"]["Fn::Sub"].partition(":secret:")[2]
        for role in ROLES
        for statement in role_statements(template, role)
        if "secretsmanager" in json.dumps(statement["Action"])
    }

    for role in ("AuthorizeRequestRole", "AnswerOpenaiRole"):
        assert readable.pop(role) == "${ApiTokensSecretName}-??????"
    assert readable.pop("DeliverCallbackRole") == "${CallbackSecretsName}-??????"
    assert readable.pop("ForwardEventsRole") == "${PagerSecretName}-??????"
    assert set(readable.values()) == {"${KeysSecretName}-??????"}
    assert {"DispatchRequestRole", "ProbeProvidersRole"} <= set(readable)
    assert "ServeApiRole" not in readable


@pytest.mark.parametrize(
    ("role", "action", "keys"),
    [
        ("ForwardEventsRole", "dynamodb:GetItem", ["INCIDENT"]),
        ("ServeApiRole", "dynamodb:BatchGetItem", ["BUDGET*"]),
        ("AnswerOpenaiRole", "dynamodb:PutItem", ["OPENAI#*", "AUDIT"]),
    ],
)
def test_who_needs_few_items_of_the_telemetry_table_may_have_no_others(
    template: Template, role: str, action: str, keys: list[str]
) -> None:
    of_the_table = [
        each
        for each in role_statements(template, role)
        if action in as_list(each["Action"]) and "TelemetryTable" in json.dumps(each["Resource"])
    ]

    assert [next(iter(each["Condition"].values()))["dynamodb:LeadingKeys"] for each in of_the_table] == [keys]
