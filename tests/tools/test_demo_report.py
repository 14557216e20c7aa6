from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import responses

from mediarelay.announce.contract import ResultEvent, ResultOutput
from mediarelay.job_records.contract import AttemptSummary
from mediarelay.vocabulary.outcome import Outcome
from tools.local.demo import gallery
from tools.local.demo.report import save
from tools.local.demo.scenario import Case


@pytest.mark.parametrize("name", ["order-0.mp3", "order-1.json", "order-2.srt"])
def test_an_output_is_saved_with_the_ending_that_it_has_in_the_bucket(name: str, tmp_path: Path) -> None:
    output = ResultOutput.model_construct(s3_uri=f"s3://bucket/tts/2026/11/{name}", url="https://bucket.example/x")
    event = ResultEvent.model_construct(event_id="e-1", provider="qwen-tts", outputs=[output])
    with responses.RequestsMock() as wire:
        wire.get("https://bucket.example/x", body=b"whatever it is")
        saved = save({"tts-qwen": [event]}, tmp_path)
    (written,) = tmp_path.iterdir()
    assert saved == {"e-1": [written.name]}
    assert (written.suffix, written.read_bytes()) == (Path(name).suffix, b"whatever it is")


def an_event(**fields: Any) -> ResultEvent:
    known = {"event_id": "e-1", "kind": "image", "provider": "fal-flux", "model": "schnell", "status": "succeeded"}
    rest = {"latency_ms": 1900, "cost_usd": 0.003, "error": None, "attempts": [], **fields}
    return ResultEvent.model_construct(**{**known, **rest})


def test_the_gallery_shows_each_file_its_way_and_its_cost(tmp_path: Path) -> None:
    refused = AttemptSummary(
        provider="openai-image", key_id="3f1c9a0be4d1", outcome=Outcome.OVERLOADED, latency_ms=400, status=503
    )
    cases = [Case("<first>", "{}", story="503 from the first provider: fell back")]
    found = {"<first>": [an_event(attempts=[refused])]}
    page = gallery.write(tmp_path, cases, found, {"e-1": ["a.png", "a.mp3"]}, None).read_text("utf-8")
    assert '<img src="a.png"' in page
    assert '<audio controls preload="none" src="a.mp3">' in page
    assert "&lt;first&gt;" in page
    assert "openai-image, key 3f1c9a: overloaded 503" in page
    assert "$0.0030" in page
    assert "taken down" not in page


def test_the_gallery_shows_an_outage_second_by_second(tmp_path: Path) -> None:
    served = [(100.0 + second, "openai-tts" if second < 5 else "elevenlabs-tts") for second in range(10)]
    seen = gallery.OutageSeen("openai-tts", served, [104.5, 105.2], [(104.0, "[red]it answers <500>[/red]")])
    page = gallery.write(tmp_path, [], {}, {}, seen).read_text("utf-8")
    assert page.count("<rect ") == 12 + 3  # ten results and two faults, and what the colours mean
    assert "4 s: it answers &lt;500&gt;" in page
    assert "served by elevenlabs-tts" in page
