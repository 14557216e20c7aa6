"""The template's parameters and what outlives its stack, and what CloudFormation says of a deployed one."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mediarelay.providers.listing import AddedServers, base_url_variables
from mediarelay.providers.openai.parsing import parse_servers
from mediarelay.providers.parsing import InvalidBaseUrls, parse_base_urls
from tests.harness.template import load_template
from tools.deployment.findings import Finding, asked, fault


@dataclass(frozen=True)
class DeployedStack:
    """What CloudFormation knows.

    Attributes:
        name: Its name.
        status: Such as CREATE_COMPLETE.
        parameters: By name.
        outputs: By name.
    """

    name: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def is_whole(self) -> bool:
        """Whether the last deployment left it in working order."""
        return self.status.endswith("_COMPLETE") and not self.status.startswith(("DELETE", "ROLLBACK"))


def deployed_stack(session: Any, name: str) -> DeployedStack | None:
    """Returns the stack, None where this region has none of the name."""
    answer, _ = asked(session.client("cloudformation").describe_stacks, StackName=name)
    for found in answer.get("Stacks", ()):
        if found["StackStatus"] != "DELETE_COMPLETE":
            return DeployedStack(
                name,
                found["StackStatus"],
                {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", ())},
                {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())},
            )
    return None


def resources(session: Any, name: str) -> list[dict[str, Any]]:
    """Returns what the stack is made of, as CloudFormation lists it."""
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
    answer, _ = asked(pages.build_full_result)
    found: list[dict[str, Any]] = answer.get("StackResourceSummaries", [])
    return found


@functools.cache
def template() -> Mapping[str, Any]:
    """Returns the template, read once."""
    return load_template()


def defaults() -> dict[str, str]:
    """Returns the template's parameters, each with its default."""
    return {name: str(each["Default"]) for name, each in template()["Parameters"].items()}


def well_formed(parameters: Mapping[str, str]) -> Iterator[Finding]:
    """Look at the names of parameters, and at those whose form CloudFormation does not know."""
    unknown = parameters.keys() - defaults().keys()
    if unknown:
        yield fault(f"the template has no parameter {', '.join(sorted(unknown))}")
    servers = added_servers(parameters)
    try:
        parse_base_urls(parameters.get("ProviderBaseUrls", ""), base_url_variables(servers.vendors))
    except InvalidBaseUrls as error:
        yield fault(f"ProviderBaseUrls: {error}")
    for reason in servers.faults.values():
        yield fault(reason)


def added_servers(parameters: Mapping[str, str]) -> AddedServers:
    """Returns the servers of OpenAI's shape that the parameters add."""
    return parse_servers(parameters.get("OpenAiServers", ""), local=parameters.get("Stage") == "local")


def left_behind(session: Any, name: str, parameters: Mapping[str, str]) -> Iterator[str]:
    """Returns a line for each thing that `sam delete` does not delete."""
    kept = [
        logical
        for logical, resource in template()["Resources"].items()
        if str(resource.get("DeletionPolicy", "")).startswith("Retain")
    ]
    physical = {each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for each in resources(session, name)}
    for logical in kept:
        yield f"{logical} {physical.get(logical, '')}".rstrip() + ": what was paid for; delete it by hand"
    for parameter in ("KeysSecretName", "ApiTokensSecretName"):
        yield f"the secret {parameters[parameter]}: the stack did not create it"
    if parameters.get("CallbackHosts"):
        yield f"the secret {parameters['CallbackSecretsName']}: the stack did not create it"
    if parameters.get("BudgetsParameter"):
        yield f"the parameter {parameters['BudgetsParameter']} of the budgets: the stack did not create it"
    yield "the key of the topics: KMS deletes it seven days later"
    yield "the bucket of sam's own stack (aws-sam-cli-managed-default): other stacks may use it"
