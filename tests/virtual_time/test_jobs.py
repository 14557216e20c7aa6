"""Clips, sounds and long texts in virtual time: the shipped state machines and the functions that they invoke."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tools.simulation.report import simulate
from tools.simulation.scenario import read_scenario

UNLIMITED = {"accounts": [{"repeat": 2, "rpm": None}], "vendor": {"limit": "none"}}


def run(**fields: Any) -> dict[str, Any]:
    given = {
        "seconds": 30,
        "measure_from": 0,
        "workers": 2,
        "arrivals": [{"rate": 0.5}],
        "service": {"median": 60, "p99": 120},
    }
    return simulate(read_scenario(json.dumps({**given, **fields})))


@pytest.mark.parametrize(
    ("kind", "provider", "vendor"),
    [
        ("video", "kling-video", "kling"),
        ("video", "fal-kling", "fal"),
        ("video", "replicate-video", "replicate"),
        ("audio", "elevenlabs-audio", "elevenlabs"),
        ("audio", "fal-stable-audio", "fal"),
        ("audio", "fal-sound-effects", "fal"),
    ],
)
def test_a_job_is_bought_once_and_known_to_be_done_soon_after(kind: str, provider: str, vendor: str) -> None:
    report = run(kind=kind, providers=[provider], pools={vendor: UNLIMITED})
    assert report["succeeded"] == report["published"] == report["purchases"] == report["calls"] > 5
    assert report["oracle_p99"] <= report["p99"] <= report["oracle_p99"] + 60


def test_a_clip_waits_for_a_slot_and_none_is_refused_that_is_declared() -> None:
    pool = {"accounts": [{"repeat": 1, "rpm": None, "concurrency": 3}], "vendor": {"limit": "concurrency"}}
    report = run(kind="video", providers=["kling-video"], pools={"kling": pool}, service={"median": 60})
    assert report["succeeded"] == report["published"]
    assert report["waste_all"] == 0
    assert report["p99"] >= 120


def test_clips_outlive_an_outage_of_a_table_and_a_provider_that_fails_for_a_while() -> None:
    report = run(
        kind="video",
        providers=["kling-video", "fal-kling"],
        pools={"kling": UNLIMITED, "fal": UNLIMITED},
        faults=[{"provider": "kling-video", "answer": "500", "from": 5, "to": 60}],
        outages=[{"store": "jobs", "from": 15, "to": 40}],
        drain_seconds=2400,
    )
    assert report["succeeded"] == report["published"] == report["purchases"]


def test_a_text_that_no_model_takes_is_spoken_in_parts_and_joined() -> None:
    report = run(arrivals=[{"rate": 0.1, "characters": 9000}], pools={"openai": UNLIMITED}, service={"median": 2})
    assert report["succeeded"] == report["published"] > 0
    assert report["calls"] == report["purchases"] == 3 * report["published"]
    assert report["p99"] <= 2 * 2
