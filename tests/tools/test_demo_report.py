from __future__ import annotations

from pathlib import Path

import pytest
import responses

from mediarelay.announce.contract import ResultEvent, ResultOutput
from tools.local.demo.report import save


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
