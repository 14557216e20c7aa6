"""`make doctor`: whether a deployed stack can read its secrets, is watched, holds nothing dead, and has keys that work.

A probe is a vendor's own free call, the one that the sweep makes every five minutes: it makes no media and is charged
nowhere. Where a vendor documents none, or where only the functions have the credential, no probe is made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mediarelay.aws.system_clock import SystemClock
from mediarelay.health.probe_sweep import Prober
from mediarelay.http.connections import RequestsHttp
from mediarelay.keys.parsing import CREDENTIALS, ApiKey
from mediarelay.providers.credentials import FunctionRole
from mediarelay.providers.listing import base_url_variables, base_urls, vendors
from mediarelay.providers.parsing import parse_base_urls
from mediarelay.providers.probe import ProbeResult
from mediarelay.providers.registry import ALL_PROVIDERS, PROBES
from tools.deployment import account
from tools.deployment.findings import Finding, asked, fault, fine, note, until_fault
from tools.deployment.stack import DeployedStack, added_servers, deployed_stack, resources, well_formed
from tools.deployment.stored_secrets import ProviderKeys, api_tokens, budgets, callback_secrets, provider_keys

_VERDICTS: Final = {
    ProbeResult.WELL: (fine, "the vendor knows it"),
    ProbeResult.BALANCE_EMPTY: (fault, "its account has nothing left to buy with"),
    ProbeResult.KEY_REJECTED: (fault, "the vendor rejects it: replace it in the secret"),
    ProbeResult.PROVIDER_FAULT: (fault, "the vendor did not answer well"),
    ProbeResult.UNCLEAR: (note, "the vendor neither took nor rejected it (throttled, or a scope that the key lacks)"),
}


class Doctor:
    """One examination of one stack."""

    def __init__(self, session: Any, name: str, environment: Mapping[str, str] | None = None) -> None:
        self._session = session
        self._name = name
        self._environment = dict(os.environ) if environment is None else environment
        self._keys = ProviderKeys()

    def findings(self) -> Iterator[Finding]:
        """Look at everything; where there is no stack, at nothing else."""
        yield from until_fault(
            lambda: account.region(self._session, self._environment),
            lambda: account.identity(self._session),
            self._of_the_stack,
        )

    def _of_the_stack(self) -> Iterator[Finding]:
        stack = deployed_stack(self._session, self._name)
        if stack is None:
            where = self._session.region_name
            yield fault(f"there is no stack {self._name} in {where}, or none that these credentials may see")
            return
        if not stack.is_whole:
            yield fault(f"{self._name} is in {stack.status}: its last deployment did not end well")
        yield from well_formed(stack.parameters)
        yield from account.limits(self._session, stack.parameters)
        added = added_servers(stack.parameters)
        yield from provider_keys(self._session, stack.parameters["KeysSecretName"], added, self._keys)
        yield from api_tokens(self._session, stack.parameters["ApiTokensSecretName"])
        called = [stack.parameters.get(name, "") for name in ("CallbackSecretsName", "CallbackHosts")]
        yield from callback_secrets(self._session, *called)
        yield from budgets(self._session, stack.parameters.get("BudgetsParameter", ""))
        yield from self._alarms(stack)
        yield from self._queues(stack)
        yield from self._probes(stack)

    # --- alarms -----------------------------------------------------------------------------------------------------

    def _alarms(self, stack: DeployedStack) -> Iterator[Finding]:
        topic = stack.outputs["ProviderAlertsTopicArn"]
        names = [
            each["PhysicalResourceId"]
            for each in resources(self._session, self._name)
            if each["ResourceType"] == "AWS::CloudWatch::Alarm"
        ]
        pages = self._session.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNames=names)
        answer, refused = asked(pages.build_full_result)
        if refused:
            yield note(f"could not ask CloudWatch for the alarms ({refused})")
            return
        alarms = answer.get("MetricAlarms", ())
        for alarm in alarms:
            if topic not in alarm.get("AlarmActions", ()) or not alarm.get("ActionsEnabled", True):
                yield fault(f"the alarm {alarm['AlarmName']} tells nobody: its action is gone or disabled")
            if alarm.get("StateValue") == "ALARM":
                yield fault(f"the alarm {alarm['AlarmName']} rings: {alarm.get('AlarmDescription', '')}")
            if alarm.get("StateValue") == "INSUFFICIENT_DATA" and topic in alarm.get("InsufficientDataActions", ()):
                yield fault(f"the alarm {alarm['AlarmName']} hears nothing: {alarm.get('AlarmDescription', '')}")
        if len(alarms) < len(names):
            yield fault(f"{len(names) - len(alarms)} of the stack's {len(names)} alarms are gone")
        yield from self._subscribers(stack, topic, len(alarms))

    def _subscribers(self, stack: DeployedStack, topic: str, alarms: int) -> Iterator[Finding]:
        pages = self._session.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        answer, refused = asked(pages.build_full_result)
        found = answer.get("Subscriptions", ())
        confirmed = [each for each in found if each["SubscriptionArn"].startswith("arn:")]
        if refused:
            yield note(f"could not ask SNS who is subscribed to the alarms ({refused})")
        elif confirmed:
            yield fine(f"{alarms} alarms, heard by {len(confirmed)} subscribers")
        else:
            why = "its subscriber has not confirmed" if found else "subscribe to the topic, or set AlarmEmail"
            # A stack on somebody's own machine rings for nobody.
            weight = note if stack.parameters.get("Stage") == "local" else fault
            yield weight(f"nobody hears the {alarms} alarms: {why}")

    # --- queues -----------------------------------------------------------------------------------------------------

    def _queues(self, stack: DeployedStack) -> Iterator[Finding]:
        client, dead = self._session.client("sqs"), 0
        names = ["ApproximateNumberOfMessages"]
        for output, url in sorted(stack.outputs.items()):
            if not output.endswith(("DlqUrl", "QueueUrl")):
                continue
            answer, refused = asked(client.get_queue_attributes, QueueUrl=url, AttributeNames=names)
            waiting = int(answer.get("Attributes", {}).get(names[0], 0))
            queue = output.removesuffix("Url")
            if refused:
                yield fault(f"{queue} could not be asked ({refused})")
            elif output.endswith("DlqUrl") and waiting:
                dead += waiting
                yield fault(f"{queue} holds {waiting} messages: docs/operations.md says what to do")
            elif waiting:
                yield note(f"{queue} holds {waiting} messages that wait")
        if not dead:
            yield fine("no dead letters")

    # --- keys -------------------------------------------------------------------------------------------------------

    def _probes(self, stack: DeployedStack) -> Iterator[Finding]:
        added = added_servers(stack.parameters)
        replaced = parse_base_urls(stack.parameters.get("ProviderBaseUrls", ""), base_url_variables(added.vendors))
        addresses = base_urls(replaced, {"AWS_REGION": str(self._session.region_name)}, vendors().values())
        clock = SystemClock()
        http = RequestsHttp(clock, allow_plain_http=stack.parameters.get("Stage") == "local")
        prober = Prober(ALL_PROVIDERS, http, base_urls=addresses, clock=clock)
        yield note("each key is shown to its vendor, by a call that makes nothing and costs nothing")
        for vendor, keys in self._keys.by_vendor.items():
            if vendor in PROBES:
                yield from (_probed(prober, vendor, key) for key in keys)
            else:
                yield note(f"{vendor}: not probed, it documents no call that is certain to cost nothing")
        if stack.parameters.get("PollySpeech") == "on":
            roles = [name for name, source in CREDENTIALS.items() if isinstance(source, FunctionRole)]
            yield from (note(f"{name}: not probed, only the functions have its credential") for name in roles)


def _probed(prober: Prober, vendor: str, key: ApiKey) -> Finding:
    provider = next(each for each in prober.providers.values() if each.vendor == vendor)
    weight, meaning = _VERDICTS[prober.probe(provider, key)]
    return weight(f"{vendor}, key {key.entry.key_id}: {meaning}")
