"""What is counted for an alarm."""

from __future__ import annotations

import json

import pytest

from mediarelay.metrics.emf import EmfCounters


def test_it_counts_by_its_dimensions_and_for_the_stage_as_a_whole(capsys: pytest.CaptureFixture[str]) -> None:
    EmfCounters("relay", "prod").count("LeasesUnavailable", {"provider": "fal-flux"})
    samples = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    sets = [sample["_aws"]["CloudWatchMetrics"][0]["Dimensions"] for sample in samples]
    assert sets == [[["provider"]], [["stage"]]]
    assert [sample["LeasesUnavailable"] for sample in samples] == [[1.0], [1.0]]
    assert (samples[0]["provider"], samples[1]["stage"]) == ("fal-flux", "prod")
