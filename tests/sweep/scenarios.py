"""What is published in a run, and how the vendors behave; each undisturbed run ends well."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any

from mediarelay.keys.parsing import ApiKey, keys_from
from tests.builders.keys import fake_key
from tests.builders.requests import audio, image, tts, video
from tests.doubles.job_vendors import kling_refusal
from tests.doubles.scripted_http import throttled
from tests.sweep.faults import RunId
from tests.sweep.stage import Published, Stage

ID: dict[str, Any] = {"request_id": "job-1"}
SPEECH: dict[str, Any] = {**ID, "providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered"}
SENTENCE = "The keeper of the lighthouse counts {} ships, and writes each of them down. "


def nothing(_stage: Stage) -> None:
    """The vendors do their work."""


@dataclass(frozen=True)
class Scenario:
    """One course of things.

    Attributes:
        publish: What is published, given the run's dice.
        prepare: How vendors differ from those that do their work.
        leases: Workers share limits.
        webhooks: fal calls when a job is over.
        limits: What each key declares.
        plan: The budgets.
        seeds: So many times each point and fault is played in the whole sweep.
    """

    publish: Callable[[Random], Sequence[Published]]
    prepare: Callable[[Stage], None] = nothing
    leases: bool = False
    webhooks: bool = False
    limits: Mapping[str, Any] = field(default_factory=dict)
    plan: str = ""
    seeds: int = 1

    def stage(self, run: RunId) -> Stage:
        """Everything is ready for the first message."""
        stage = Stage(run, _keys(json.dumps(self.limits)), leases=self.leases, webhooks=self.webhooks, plan=self.plan)
        self.prepare(stage)
        return stage


@lru_cache
def _keys(limits: str) -> Mapping[str, tuple[ApiKey, ...]]:
    """Two keys of each vendor, each of an account of its own; Kling and fal count jobs."""
    declared = json.loads(limits)
    names = {
        "OPENAI_API_KEYS": "openai",
        "ELEVENLABS_API_KEYS": "elevenlabs",
        "KLING_API_KEYS": "kling",
        "FAL_KEYS": "fal",
    }
    entries = {
        variable: [
            {"key": fake_key(vendor, number), "account": f"{vendor}-{number}", **declared.get(vendor, {})}
            for number in range(2)
        ]
        for variable, vendor in names.items()
    }
    return keys_from(entries)


def once(body: Mapping[str, Any]) -> Callable[[Random], Sequence[Published]]:
    """One message."""
    return lambda _dice: [Published(body)]


def cancelled(body: Mapping[str, Any]) -> Callable[[Random], Sequence[Published]]:
    """A message, and at some moment of its job the word that it is not wanted any more."""
    return lambda dice: [Published(body), Published({"cancel": "job-1"}, dice.uniform(0.0, 90.0))]


def twice(body: Mapping[str, Any], *, apart: float) -> Callable[[Random], Sequence[Published]]:
    """Two requests for the same, and a third when the first has probably been served."""
    moments = (0.0, apart, 200.0)
    return lambda _dice: [
        Published({**body, "request_id": f"job-{number}"}, after) for number, after in enumerate(moments, 1)
    ]


def refusing(stage: Stage) -> None:
    """OpenAI throttles both keys at first."""
    stage.vendors.planned["openai"].extend([throttled(20)] * 3)


def openai_down(stage: Stage) -> None:
    """OpenAI answers nothing but 503."""
    stage.vendors.down.add("openai")


def kling_unpaid(stage: Stage) -> None:
    """Kling refuses both accounts, whose bills are unpaid."""
    stage.vendors.jobs.plan("submit", *[kling_refusal(429, 1101)] * 2)


def _long_text() -> str:
    return "".join(SENTENCE.format(number) for number in range(70))


SLOTS = {"kling": {"concurrency": 2}, "fal": {"concurrency": 2}}
PLAN = json.dumps({"stage": {"day_usd": 50}, "tenants": {"acme": {"month_usd": 10}}})
FAL = video(**ID, providers=["fal-kling"])
KLING = video(**ID, providers=["kling-video"])
SCENARIOS: dict[str, Scenario] = {
    "speech": Scenario(once(tts(**SPEECH)), seeds=4),
    "throttled": Scenario(
        once(tts(**ID, providers=["openai-tts"])),
        refusing,
        leases=True,
        limits={"openai": {"rpm": 60, "concurrency": 4}},
    ),
    "all": Scenario(once(tts(**{**SPEECH, "strategy": "all"})), seeds=4),
    "picture": Scenario(once(image(**ID, providers=["fal-flux"])), seeds=4),
    "clip": Scenario(once(FAL), webhooks=True, limits=SLOTS, seeds=2),
    "kling": Scenario(once(KLING), limits=SLOTS, seeds=2),
    "music": Scenario(once(audio(**ID, providers=["elevenlabs-audio"])), seeds=2),
    "failover": Scenario(once(tts(**SPEECH)), openai_down, seeds=4),
    "clip-failover": Scenario(
        once(video(**ID, providers=["kling-video", "fal-kling"], strategy="ordered")), kling_unpaid, limits=SLOTS
    ),
    "long-text": Scenario(once(tts(_long_text(), input={"format": "wav"}, **ID, providers=["openai-tts"]))),
    "resubmit": Scenario(once(tts(**SPEECH, on_ambiguous="resubmit")), seeds=4),
    "clip-resubmit": Scenario(
        once(video(**ID, providers=["fal-kling"], on_ambiguous="resubmit")), limits=SLOTS, seeds=2
    ),
    "cached": Scenario(twice(tts(**SPEECH, cache_seconds=3600), apart=0.1), seeds=2),
    "cached-clip": Scenario(twice({**FAL, "cache_seconds": 3600}, apart=10.0), limits=SLOTS),
    "budgeted": Scenario(once(tts(**SPEECH, tenant="acme")), plan=PLAN, seeds=2),
    "budgeted-clip": Scenario(once({**FAL, "tenant": "acme"}), limits=SLOTS, plan=PLAN),
    "cancel": Scenario(cancelled(FAL), limits=SLOTS),
    "cancel-kling": Scenario(cancelled(KLING), limits=SLOTS),
}
