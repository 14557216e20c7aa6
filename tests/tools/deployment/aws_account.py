"""An AWS account for the tools of a deployment: moto's, with the answers that moto has not."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.exceptions import ClientError


# Made once: a new session reads megabytes of AWS's service descriptions again. moto answers it whenever it is active.
@functools.cache
def _session() -> Any:
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing")


@functools.cache
def _client(service: str, region: str) -> Any:
    return _session().client(service, region_name=region)


def refusal(code: str) -> ClientError:
    """Returns what a client raises when AWS refuses."""
    return ClientError({"Error": {"Code": code, "Message": "told nobody"}}, "Operation")


@dataclass
class AwsAccount:
    """Stands in for a boto3 session.

    Attributes:
        region_name: Where it is.
        concurrency: What Lambda allows in all.
        transitions: What Step Functions allows a second; None when Service Quotas refuses to say.
        stacks: What CloudFormation knows, by name, in its own form.
        resources: What each stack is made of, in CloudFormation's form.
    """

    region_name: str = "eu-central-1"
    concurrency: int = 1000
    transitions: float | None = 500.0
    stacks: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    resources: dict[str, list[dict[str, str]]] = field(default_factory=dict)

    def client(self, service: str, *, config: Any = None) -> Any:
        """A client, as a session makes it; how it is configured makes no difference to moto."""
        del config
        scripted = {
            "cloudformation": self._cloudformation,
            "lambda": self._functions,
            "service-quotas": self._quotas,
        }
        return scripted[service]() if service in scripted else _client(service, self.region_name)

    def get_available_partitions(self) -> list[str]:
        """As boto3."""
        return list(_session().get_available_partitions())

    def get_available_regions(self, service: str, partition_name: str) -> list[str]:
        """As boto3."""
        return list(_session().get_available_regions(service, partition_name=partition_name))

    def _functions(self) -> Any:
        names = ("ConcurrentExecutions", "UnreservedConcurrentExecutions")
        limit = {"AccountLimit": dict.fromkeys(names, self.concurrency)}
        return SimpleNamespace(get_account_settings=lambda: limit)

    def _quotas(self) -> Any:
        def listed(ServiceCode: str) -> dict[str, Any]:  # noqa: N803  (boto3's name)
            assert ServiceCode == "states"
            if self.transitions is None:
                raise refusal("AccessDeniedException")
            name = "StateTransition throttle token refill rate per second"
            return {"Quotas": [{"QuotaName": name, "QuotaCode": "L-0000", "Value": self.transitions}]}

        return SimpleNamespace(get_paginator=lambda _: _pages(listed))

    def _cloudformation(self) -> Any:
        def described(StackName: str) -> dict[str, Any]:  # noqa: N803  (boto3's name)
            if StackName not in self.stacks:
                raise refusal("ValidationError")
            return {"Stacks": [self.stacks[StackName]]}

        def listed(StackName: str) -> dict[str, Any]:  # noqa: N803  (boto3's name)
            return {"StackResourceSummaries": self.resources.get(StackName, [])}

        return SimpleNamespace(describe_stacks=described, get_paginator=lambda _: _pages(listed))


def _pages(answer: Any) -> Any:
    def paginate(**parameters: Any) -> Any:
        return SimpleNamespace(build_full_result=lambda: answer(**parameters))

    return SimpleNamespace(paginate=paginate)
