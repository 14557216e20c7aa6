"""Least privilege: one written role per function, and a reason for every wildcard."""

import json
from typing import Any

import pytest

from tests.infra.template_document import as_list, load_template, of_type, policy_statements

Template = dict[str, Any]
ROLES = sorted(of_type(load_template(), "AWS::IAM::Role"))

# Action with `*` as its resource -> why none can be named.
NO_RESOURCE_TO_NAME = {
    "xray:PutTraceSegments": "X-Ray has no resource type for it",
    "xray:PutTelemetryRecords": "X-Ray has no resource type for it",
    "dynamodb:ListStreams": "it lists streams, so it names none",
}
# Trailing wildcard of a resource -> why it is there.
PARTS_OF_A_RESOURCE = {
    "${ResultsBucket.Arn}/*": "the objects of our own bucket; their keys are made at run time",
    "-??????": "the six characters that Secrets Manager adds to a secret's ARN",
}


def test_every_function_has_a_role_of_its_own(template: Template) -> None:
    functions = of_type(template, "AWS::Serverless::Function")
    roles = [function["Role"]["Fn::GetAtt"][0] for function in functions.values()]

    assert sorted(roles) == ROLES


@pytest.mark.parametrize("role", ROLES)
def test_role_grants_only_what_its_own_statements_say(template: Template, role: str) -> None:
    properties = template["Resources"][role]["Properties"]

    assert "ManagedPolicyArns" not in properties
    assert all(statement["Sid"] and statement["Effect"] == "Allow" for statement in policy_statements(properties))


@pytest.mark.parametrize("role", ROLES)
def test_role_names_its_actions_one_by_one(template: Template, role: str) -> None:
    statements = policy_statements(template["Resources"][role]["Properties"])

    assert [action for statement in statements for action in as_list(statement["Action"]) if "*" in action] == []


@pytest.mark.parametrize("role", ROLES)
def test_role_has_no_wildcard_resource_without_a_reason(template: Template, role: str) -> None:
    for statement in policy_statements(template["Resources"][role]["Properties"]):
        for resource in as_list(statement["Resource"]):
            if resource == "*":
                assert set(as_list(statement["Action"])) <= NO_RESOURCE_TO_NAME.keys()
            elif any(sign in json.dumps(resource) for sign in "*?"):
                assert resource["Fn::Sub"].endswith(tuple(PARTS_OF_A_RESOURCE)), resource


@pytest.mark.parametrize("role", ROLES)
def test_role_can_be_assumed_by_lambda_alone(template: Template, role: str) -> None:
    statements = template["Resources"][role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]

    assert statements == [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ]


def test_each_secret_is_read_by_those_who_need_it_alone(template: Template) -> None:
    readable = {
        role: statement["Resource"]["Fn::Sub"].partition(":secret:")[2]
        for role in ROLES
        for statement in policy_statements(template["Resources"][role]["Properties"])
        if "secretsmanager" in json.dumps(statement["Action"])
    }

    assert readable == {
        "DispatchRequestRole": "${KeysSecretName}-??????",
        "ProbeProvidersRole": "${KeysSecretName}-??????",
        "AuthorizeRequestRole": "${ApiTokensSecretName}-??????",
    }
