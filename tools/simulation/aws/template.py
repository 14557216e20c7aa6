"""What the template says of the queue and the function that serve a kind."""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.harness.template import load_template
from tools.simulation.aws.queue import QueueFacts
from tools.simulation.aws.workers import FunctionFacts
from tools.simulation.scenario import Scenario


@cache
def _template() -> dict[str, Any]:
    return load_template()


def facts_of(scenario: Scenario) -> tuple[QueueFacts, FunctionFacts]:
    """Return them, as far as the scenario does not say otherwise."""
    template = _template()
    timing = template["Mappings"]["Timing"]["standard"]
    resources = template["Resources"]
    source = resources["DispatchRequestFunction"]["Properties"]["Events"]["Requests"]["Properties"]
    queue = resources[source["Queue"]["Fn::GetAtt"][0]]["Properties"]
    batch = scenario.batch or int(source["BatchSize"])
    # The handler has a thread for each message of the largest batch.
    threads = scenario.threads or int(source["BatchSize"])
    return (
        QueueFacts(batch, float(timing["Visibility"]), int(queue["RedrivePolicy"]["maxReceiveCount"])),
        FunctionFacts(float(timing["FunctionTimeout"]), float(timing["MessageTime"]), threads),
    )
