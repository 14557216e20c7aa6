from __future__ import annotations

import pytest

from mediarelay.health.thresholds import DEFAULT, InvalidThresholds, ThresholdBook
from mediarelay.providers.catalogue import models
from mediarelay.providers.listing import healthy_seconds
from mediarelay.providers.registry import PROVIDERS


def test_the_defaults_are_those_of_speech() -> None:
    assert ThresholdBook(healthy_seconds())("openai-tts", "call") == DEFAULT
    assert (DEFAULT.healthy_rate, DEFAULT.degraded_rate, DEFAULT.healthy_seconds) == (0.9, 0.7, 5.0)


@pytest.mark.parametrize("name", PROVIDERS)
def test_no_model_of_the_catalogue_is_degraded_by_its_usual_latency(name: str) -> None:
    slowest = max(model.typical_seconds for model in models(name).values())
    assert ThresholdBook(healthy_seconds())(name, "call").healthy_seconds >= 1.2 * slowest


def test_the_phases_of_a_long_job_have_their_own() -> None:
    book = ThresholdBook(healthy_seconds())
    assert book("kling-video", "completion").healthy_seconds == 600
    assert book("kling-video", "submit").healthy_seconds == 5


def test_an_operator_changes_them_for_all_for_one_and_for_one_phase() -> None:
    changes = {
        "*": {"minimum_samples": 20},
        "fal-flux": {"healthy_seconds": 3},
        "kling-video/poll": {"healthy_rate": 0.5},
    }
    book = ThresholdBook(healthy_seconds(), changes)
    assert (book("fal-flux", "call").minimum_samples, book("fal-flux", "call").healthy_seconds) == (20, 3)
    assert (book("kling-video", "poll").healthy_rate, book("kling-video", "submit").healthy_rate) == (0.5, 0.9)


@pytest.mark.parametrize("fields", [{"healthy": 1}, {"healthy_rate": "high"}, {"healthy_rate": True}])
def test_a_slip_of_the_pen_is_named(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidThresholds, match=r"fal-flux\.healthy"):
        ThresholdBook({}, {"fal-flux": fields})
