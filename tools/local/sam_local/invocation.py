"""`sam local invoke` of a function against a local stack: on AWS's own Python runtime, in a container."""

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.local.deploy import sam_environment
from tools.local.project import ROOT, SAM
from tools.local.sam_local.relay import reachable
from tools.local.stack import LocalStack
from tools.localaws.ports import LOOPBACK

BUILD = ROOT / ".aws-sam" / "invoke"


class InvokeError(Exception):
    """The function could not be built or run; says which command failed and what it wrote."""


@dataclass(frozen=True)
class Invoked:
    """What came of one run."""

    answer: Any
    log: str


def build() -> None:
    """Build the functions for a container of this processor. Raises InvokeError."""
    _sam(["build", "--config-env", "invoke"], sam_environment(""))


def invoke(stack: LocalStack, function: str, event: Path, *, options: tuple[str, ...] = ()) -> Invoked:
    """Run the built function of this logical id on an event, with the environment that it has in the stack.

    Raises:
        InvokeError: The stack has no such function, or it did not answer.
    """
    with _as_containers_see(function_variables(stack, function), stack.endpoint) as (variables, endpoint):
        file = BUILD / f"{function}.env.json"
        file.write_text(json.dumps({function: variables | {"AWS_ENDPOINT_URL": endpoint}}), encoding="utf-8")
        done = _sam(
            [
                *("local", "invoke", function, "--config-env", "invoke", "--event", str(event)),
                *("--env-vars", str(file), "--no-memory-limit", *options),
                *("--parameter-overrides", f"Architecture=x86_64 AwsEndpointUrl={endpoint}"),
            ],
            sam_environment(stack.endpoint),
        )
    try:
        return Invoked(json.loads(done.stdout.strip().splitlines()[-1]), done.stderr)
    except (IndexError, ValueError):
        raise InvokeError(f"{function} gave no answer:\n{done.stderr}") from None


def function_variables(stack: LocalStack, function: str) -> dict[str, str]:
    """The environment variables of a deployed function, by its logical id. Raises InvokeError."""
    names = _function_names(stack)
    if function not in names:
        raise InvokeError(f"there is no function {function}; the stack has {', '.join(sorted(names))}")
    found = stack.client("lambda").get_function_configuration(FunctionName=names[function])
    variables: dict[str, str] = found["Environment"]["Variables"]
    return variables


def _function_names(stack: LocalStack) -> dict[str, str]:
    """The names of the stack's functions, by logical id."""
    pages = stack.client("cloudformation").get_paginator("list_stack_resources")
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack.plan.stack_name)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


@contextmanager
def _as_containers_see(variables: Mapping[str, str], endpoint: str) -> Iterator[tuple[dict[str, str], str]]:
    """The variables and the endpoint with each loopback address replaced by one that reaches it from a container."""
    listening = rf"//{re.escape(LOOPBACK)}:(\d+)"
    ports = {int(port) for value in (*variables.values(), endpoint) for port in re.findall(listening, value)}
    with reachable(ports) as host:
        yield (
            {name: value.replace(LOOPBACK, host) for name, value in variables.items()},
            endpoint.replace(LOOPBACK, host),
        )


def _sam(arguments: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {**environment, "PYTHONDONTWRITEBYTECODE": "1"}
    if docker := os.environ.get("DOCKER_HOST"):
        environment["DOCKER_HOST"] = docker
    if not environment["AWS_ENDPOINT_URL"]:
        del environment["AWS_ENDPOINT_URL"]
    done = subprocess.run(  # noqa: S603  (the SAM CLI with arguments of ours)
        [str(SAM), *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InvokeError(f"sam {' '.join(arguments[:2])} failed:\n{done.stdout}{done.stderr}")
    return done
