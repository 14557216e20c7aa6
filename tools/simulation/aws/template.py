"""What the template says of the queue and the function that serve a kind."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from mediarelay.vocabulary.kinds import Kind
from tests.harness.template import load_template
from tools.simulation.aws.queue import QueueFacts
from tools.simulation.aws.workers import FunctionFacts
from tools.simulation.scenario import Scenario

# By kind: the function, its queue's event, and the parameter that says how many a worker serves at once.
SERVED_BY: Final = {
    Kind.TTS: ("DispatchRequestFunction", "Requests", "SpeechThreads"),
    Kind.IMAGE: ("DrawPictureFunction", "Pictures", "PictureThreads"),
    Kind.VIDEO: ("DispatchRequestFunction", "Requests", "SpeechThreads"),
    Kind.AUDIO: ("DispatchRequestFunction", "Requests", "SpeechThreads"),
}


@cache
def _template() -> dict[str, Any]:
    return load_template()


def facts_of(scenario: Scenario) -> tuple[QueueFacts, FunctionFacts]:
    """Return them, as far as the scenario does not say otherwise."""
    template = _template()
    timing = template["Mappings"]["Timing"]["standard"]
    resources = template["Resources"]
    function, event, most = SERVED_BY[scenario.kind]
    source = resources[function]["Properties"]["Events"][event]["Properties"]
    queue = resources[source["Queue"]["Fn::GetAtt"][0]]["Properties"]
    batch = scenario.batch or int(source["BatchSize"])
    threads = scenario.threads or int(template["Parameters"][most]["Default"])
    return (
        QueueFacts(batch, float(timing["Visibility"]), int(queue["RedrivePolicy"]["maxReceiveCount"])),
        FunctionFacts(float(timing["FunctionTimeout"]), float(timing["MessageTime"]), threads),
    )


@cache
def function_seconds(name: str) -> float:
    """Return how long an invocation of a function may take."""
    template = _template()
    timeout = template["Resources"][name]["Properties"]["Timeout"]
    if isinstance(timeout, dict):
        mapping, _, key = timeout["Fn::FindInMap"]
        timeout = template["Mappings"][mapping]["standard"][key]
    return float(timeout)
