"""Which of the ready-made requests the demo publishes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mediarelay.keys.parsing import keys_from
from mediarelay.providers.credentials import FunctionRole
from mediarelay.providers.registry import VENDORS, by_kind
from mediarelay.vocabulary.kinds import Kind
from tools.local.demo.scenario import scenario
from tools.local.demo.vendors import real_vendors
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


def test_every_provider_of_speech_is_refused_once_for_the_rate() -> None:
    cases = {case.provider: case for case in scenario("run", simulated=True, vendors=set(ALL)).cases if case.calls > 1}
    speaking = {provider.name: provider.vendor for provider in by_kind(Kind.TTS)}
    assert set(cases) == set(speaking)
    assert {"openai-tts", "elevenlabs-tts", "polly-tts", "qwen-tts", "gemini-tts", "replicate-tts"} <= set(cases)
    # Without keys there is none to rotate to.
    assert [name for name, case in cases.items() if not case.rotations] == ["polly-tts"]


def test_a_vendor_without_keys_is_not_asked() -> None:
    vendors = {"openai", "elevenlabs", "fal"}
    assert "gemini-tts" not in named(vendors)
    assert "gemini-tts" in named({*vendors, "gemini"})


@pytest.mark.parametrize(
    ("environment", "offered"),
    [
        ({"AWS_ACCESS_KEY_ID": "fake-id", "AWS_SECRET_ACCESS_KEY": "fake-secret"}, 1),
        ({"AWS_ACCESS_KEY_ID": "fake-id"}, 0),
        ({}, 0),
    ],
)
def test_with_real_vendors_the_callers_own_credentials_stand_for_the_functions_role(
    environment: dict[str, str], offered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = FunctionRole(allowed_by="ACME_SPEECH")
    monkeypatch.setattr(
        "tools.local.demo.vendors.VENDORS", {**VENDORS, "acme": replace(VENDORS["openai"], credentials=role)}
    )
    for name in role.variables:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**environment, "OPENAI_API_KEY": "fake-1"}.items():
        monkeypatch.setenv(name, value)
    of_the_function = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "local"}
    found = keys_from({**of_the_function, "ACME_SPEECH": "on", **real_vendors().keys}, {"acme": role}).get("acme", ())
    assert [role.read(key.secret.get_secret_value()).access_key_id for key in found] == ["fake-id"] * offered
    assert all(role.read(key.secret.get_secret_value()).session_token == "" for key in found)
