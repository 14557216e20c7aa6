"""Region, credentials, and the limits of the account that a deployment meets first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import boto3

from tools.deployment.findings import Finding, asked, fault, fine, note

REGION_VARIABLES: Final = ("AWS_DEFAULT_REGION", "AWS_REGION")
# What the template makes things of, by botocore's names.
SERVICES: Final = (
    *("apigatewayv2", "cloudwatch", "dynamodb", "events", "kms", "lambda", "logs", "s3", "scheduler"),
    *("secretsmanager", "sns", "sqs", "stepfunctions"),
)
# What must be left beside the functions of the queues: four streams' shards, the sweep, the steps of a job, the API. A
# queue takes all that its maximum lets it, so that with less than this an outage of the others looks like one of AWS.
OTHER_FUNCTIONS: Final = 8
FEWEST_WORKERS: Final = 2  # what Lambda accepts for an SQS source
WORKERS_OF_A_POLLER: Final = 10  # Lambda guide, "Configuring scaling behavior for SQS event source mappings"
# The bound of each queue's workers, and the pollers that count instead where there are some.
BOUNDS: Final = {"MaximumConcurrency": "RequestPollers", "PictureConcurrency": "PicturePollers"}
# What is reserved for functions that wait, and what Lambda leaves to all others of an account (Lambda guide,
# "Configuring reserved concurrency for a function").
RESERVED: Final = ("OpenAiConcurrency", "WaitConcurrency")
UNRESERVED_LEAST: Final = 100
# A clip takes about 16 transitions (docs/performance.md): less than this would be less than one clip a second.
FEWEST_TRANSITIONS: Final = 16.0
LAMBDA_QUOTA: Final = "L-B99A9384"  # concurrent executions, by Service Quotas' own code


def session_in(environment: Mapping[str, str]) -> Any:
    """Returns a session in the region that the environment names, under either name, or the profile's."""
    named = next((environment[name] for name in REGION_VARIABLES if environment.get(name)), None)
    return boto3.Session(region_name=named)


def region(session: Any, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Look whether there is one region, and whether it exists."""
    named = {name: environment[name] for name in REGION_VARIABLES if environment.get(name)}
    if len(set(named.values())) > 1:
        both = " and ".join(f"{name}={value}" for name, value in named.items())
        yield fault(f"two regions are named, and not every tool takes the same one: {both}")
        return
    if not session.region_name:
        yield fault("no region is named: set AWS_DEFAULT_REGION, or `aws configure set region …`")
        return
    if session.region_name not in _regions(session, "lambda"):
        yield fault(f"AWS has no region {session.region_name}: set AWS_DEFAULT_REGION to one that exists")
        return
    lacking = [each for each in SERVICES if session.region_name not in _regions(session, each)]
    if lacking:
        yield note(f"botocore knows no {', '.join(lacking)} in {session.region_name}")


def _regions(session: Any, service: str) -> set[str]:
    partitions = session.get_available_partitions()
    return {name for each in partitions for name in session.get_available_regions(service, partition_name=each)}


def identity(session: Any) -> Iterator[Finding]:
    """Look who deploys, which also tells whether the region is enabled for the account."""
    answer, refused = asked(session.client("sts").get_caller_identity)
    if refused:
        yield fault(
            f"AWS does not let these credentials in at {session.region_name} ({refused}): they are missing or have"
            " ended, or the region is not enabled for the account"
        )
    else:
        yield fine(f"account {answer['Account']} in {session.region_name}")


def limits(session: Any, parameters: Mapping[str, str]) -> Iterator[Finding]:
    """Compare the account's limits with what the stack asks for."""
    yield from _pollers(parameters)
    yield from _concurrency(session, parameters)
    yield from _transitions(session)


def _pollers(parameters: Mapping[str, str]) -> Iterator[Finding]:
    for name in BOUNDS.values():
        if parameters[name] == "1":
            yield fault(f"{name}=1: Lambda keeps two pollers for a queue at least; use 2, or 0 for none of its own")


def _concurrency(session: Any, parameters: Mapping[str, str]) -> Iterator[Finding]:
    answer, refused = asked(session.client("lambda").get_account_settings)
    if refused:
        yield note(f"could not ask Lambda for the account's limits ({refused}): nothing is known of its concurrency")
        return
    allowed = int(answer["AccountLimit"]["UnreservedConcurrentExecutions"])
    workers = sum(_workers(parameters, bound) for bound in BOUNDS)
    fewest = FEWEST_WORKERS * len(BOUNDS)
    too_much = _reserves_too_much(int(answer["AccountLimit"]["ConcurrentExecutions"]), parameters)
    more = f"ask AWS for more (Service Quotas, {LAMBDA_QUOTA})"
    if workers > max(fewest, allowed - OTHER_FUNCTIONS):
        least = [f"{bound}={FEWEST_WORKERS} {pollers}=0" for bound, pollers in BOUNDS.items()]
        yield fault(
            f"Lambda allows {allowed} concurrent executions here, {workers} workers for requests and pictures leave"
            f" fewer than {OTHER_FUNCTIONS} to the other functions: deploy with fewer (the least is"
            f" {' '.join(least + too_much)}), or {more}"
        )
    elif too_much:
        yield fault(
            f"Lambda leaves {UNRESERVED_LEAST} of an account's concurrent executions unreserved, and this one has too"
            f" few: deploy with {' '.join(too_much)}, or {more}"
        )
    else:
        told = f"Lambda: {allowed} concurrent executions, of which requests and pictures may take {workers}"
        yield note(f"{told}: {more}") if workers + OTHER_FUNCTIONS > allowed else fine(told)


def _reserves_too_much(account: int, parameters: Mapping[str, str]) -> list[str]:
    """Returns the parameters with which nothing is reserved, where the account has too few for what would be."""
    if parameters.get("Stage") == "local":
        return []  # the local AWS is an account of as many at once as a machine bears, and reserves of those
    reserved = {name: int(parameters[name]) for name in RESERVED if int(parameters[name])}
    fits = account - sum(reserved.values()) >= UNRESERVED_LEAST
    return [] if fits else [f"{name}=0" for name in reserved]


def _workers(parameters: Mapping[str, str], bound: str) -> int:
    pollers = int(parameters[BOUNDS[bound]])
    return WORKERS_OF_A_POLLER * pollers if pollers else int(parameters[bound])


def _transitions(session: Any) -> Iterator[Finding]:
    client = session.client("service-quotas")
    answer, refused = asked(
        client.get_paginator("list_service_quotas").paginate(ServiceCode="states").build_full_result
    )
    found = [
        quota
        for quota in answer.get("Quotas", ())
        if "statetransition" in quota["QuotaName"].replace(" ", "").lower() and "refill" in quota["QuotaName"].lower()
    ]
    if refused or not found:
        why = refused or "no such quota is listed"
        yield note(f"could not ask Service Quotas for Step Functions' transitions ({why}); new accounts have few")
        return
    a_second = min(float(quota["Value"]) for quota in found)
    if a_second < FEWEST_TRANSITIONS:
        yield fault(
            f"Step Functions allows {a_second:g} state transitions a second here, less than one clip's:"
            f" ask AWS for more (Service Quotas, {found[0]['QuotaCode']})"
        )
    else:
        yield fine(f"Step Functions: {a_second:,.0f} state transitions a second")
