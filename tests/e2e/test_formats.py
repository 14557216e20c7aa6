"""Formats and times on the deployed template: the audio layer, and files beside the speech, for a subscriber."""

from __future__ import annotations

import json
import urllib.request

import pytest

from mediarelay.announce.contract import ResultEvent
from tests.builders.requests import tts
from tests.harness.deployed import Relay
from tests.harness.media.parsers import heard

pytestmark = pytest.mark.stack

TEXT = "A vendor makes one format, and somebody else wants another. It sounds the same."


def content(event: ResultEvent, index: int = 0) -> bytes:
    with urllib.request.urlopen(event.outputs[index].url) as answer:  # noqa: S310 # a presigned link of the local stack
        return bytes(answer.read())


def test_what_a_vendor_does_not_make_is_made_by_the_deployed_function(relay: Relay) -> None:
    wanted = {f"e2e-format-{name}": name for name in ("mp3", "opus", "aac", "flac")}
    relay.publish(
        [
            tts(
                f"{TEXT} {name}",
                request_id=request_id,
                input={"format": name, "loudness": -20},
                providers=["gemini-tts"],
            )
            for request_id, name in wanted.items()
        ]
    )
    for (event,) in relay.await_events(list(wanted)).values():
        assert (event.status, event.warnings, event.outputs[0].transcoded_from) == ("succeeded", [], "wav")
        assert heard(content(event)).seconds == pytest.approx(0.06 * (len(TEXT) + 5), rel=0.05)


@pytest.mark.parametrize("provider", ["elevenlabs-tts", "polly-tts"])
def test_when_words_are_heard_comes_in_files_of_their_own(relay: Relay, provider: str) -> None:
    request_id = f"e2e-times-{provider}"
    spoken = f"{TEXT} {provider}."
    relay.publish([tts(spoken, request_id=request_id, input={"timestamps": "sentence"}, providers=[provider])])
    (event,) = relay.await_events([request_id])[request_id]
    assert (event.status, event.warnings) == ("succeeded", [])
    assert [output.content_type for output in event.outputs][1:] == [
        "application/json",
        "application/x-subrip",
        "text/vtt",
    ]
    spans = json.loads(content(event, 1))["spans"]
    assert " ".join(span["text"] for span in spans) == spoken
    assert 0 <= spans[0]["start"] < spans[1]["start"] < spans[2]["start"]
    assert content(event, 3).startswith(b"WEBVTT")
    assert relay.simulator.client.paid()[spoken] == (2 if provider == "polly-tts" else 1)
