"""template.yaml as plain Python values: `!Ref X` is {"Ref": X}, `!GetAtt A.B` is {"Fn::GetAtt": ["A", "B"]}."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from yaml import CSafeLoader  # libyaml's, which PyYAML's wheels bring: ten times as fast as SafeLoader

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"

Properties = dict[str, Any]


class _TemplateLoader(CSafeLoader):
    """YAML with CloudFormation's short forms."""


def _intrinsic(loader: CSafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in {"Ref", "Condition"} else f"Fn::{tag}"
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
            return {name: value.split(".", 1) if tag == "GetAtt" else value}
        case yaml.SequenceNode():
            return {name: loader.construct_sequence(node, deep=True)}
        case yaml.MappingNode():
            return {name: loader.construct_mapping(node, deep=True)}
    raise TypeError(f"!{tag} on {node}")


_TemplateLoader.add_multi_constructor("!", _intrinsic)


def load_template(text: str | None = None) -> dict[str, Any]:
    """The whole document; the repository's own unless a text is given."""
    # The loader is a safe one, so nothing in the file can run.
    document: dict[str, Any] = yaml.load(text or TEMPLATE.read_text(encoding="utf-8"), _TemplateLoader)  # noqa: S506
    return document


def of_type(template: dict[str, Any], kind: str) -> dict[str, Properties]:
    """The properties of each resource of one type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def policy_statements(role: Properties) -> list[dict[str, Any]]:
    """Every statement of a role's inline policies."""
    return [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]


def role_statements(
    template: dict[str, Any], role: str, *, without: Collection[str] = frozenset()
) -> list[dict[str, Any]]:
    """Every statement that holds for a role: its own, and those of policies of which it is one of the roles.

    Args:
        template: The whole document.
        role: The role's logical id.
        without: Conditions that do not hold; all others do.
    """
    attached = [
        statement
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Policy"
        and {"Ref": role} in resource["Properties"]["Roles"]
        and resource.get("Condition") not in without
        for statement in resource["Properties"]["PolicyDocument"]["Statement"]
    ]
    return [*policy_statements(template["Resources"][role]["Properties"]), *attached]


def as_list(value: Any) -> list[Any]:
    """What IAM lets one write as one value or as a list."""
    return value if isinstance(value, list) else [value]


def anchors(template: dict[str, Any]) -> dict[str, str]:
    """The runbook reference at the end of each alarm's description, by the alarm's logical id."""
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    return {name: str(alarm["AlarmDescription"]["Fn::Sub"]).split()[-1] for name, alarm in alarms.items()}
