"""Which of the ready-made requests the demo publishes."""

from __future__ import annotations

import json

from mediarelay.keys.parsing import keys_from
from tools.local.demo.scenario import scenario
from tools.local.simulator import simulator_keys

ALL = keys_from(simulator_keys())


def named(vendors: set[str], *, simulated: bool = False) -> set[str]:
    plan = scenario("run", simulated=simulated, vendors=vendors)
    return {name for case in plan.cases if case.expected == "succeeded" for name in _providers(case.body)}


def _providers(body: str) -> list[str]:
    names: list[str] = json.loads(body).get("providers", [])
    return names


def test_the_simulated_demo_asks_every_vendor() -> None:
    assert {name.partition("-")[0] for name in named(set(ALL), simulated=True)} == set(ALL)


def test_a_vendor_without_keys_is_not_asked() -> None:
    vendors = {"openai", "elevenlabs", "fal"}
    assert "gemini-tts" not in named(vendors)
    assert "gemini-tts" in named({*vendors, "gemini"})
