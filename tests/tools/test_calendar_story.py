"""The rehearsal of another day says what was not as it must be."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from mediarelay.announce.contract import ResultEvent, ResultOutput
from mediarelay.vocabulary.kinds import JobStatus, Kind
from tools.local.demo.calendar_story import CalendarStory

# Six formats, a voice by its name, and five vendors in turn.
REQUESTS = 12
SPEAKERS = ("polly-tts", "qwen-tts", "gemini-tts", "assemblyai-tts", "groq-tts")


class Day:
    """The local stack, its subscriber and the simulator, whose speakers answer in order unless they are down."""

    def __init__(self, speakers: Sequence[str] = SPEAKERS, *, substituted: bool = True, times_paid: int = 1) -> None:
        self.outputs = {"RequestQueueUrl": "queue"}
        self.speakers = speakers
        self.substituted = substituted
        self.times_paid = times_paid
        self.down: dict[str, str] = {}
        self.cleared: list[str] = []
        self.bought: dict[str, int] = {}
        self.events: list[ResultEvent] = []

    def client(self, _service: str) -> Day:
        return self

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803 # AWS's names
        assert QueueUrl == "queue"
        body = json.loads(MessageBody)
        up = [name for name in self.speakers if name.partition("-")[0] not in self.down.values()]
        self.bought[body["input"]["text"]] = self.times_paid
        self.events.append(self.event(body, up[0] if up else None))

    def event(self, body: Mapping[str, Any], provider: str | None) -> ResultEvent:
        output = ResultOutput(s3_uri="s3://b/k", url="https://x", content_type="audio/mpeg", bytes=9, sha256="ab")
        given: dict[str, Any] = dict.fromkeys(ResultEvent.model_fields)
        given |= {"version": "1", "event_id": body["request_id"], "request_id": body["request_id"], "job_id": "j"}
        given |= {"kind": Kind.TTS, "status": JobStatus.SUCCEEDED if provider else JobStatus.FAILED}
        given |= {"outputs": [output] if provider else [], "attempts": [], "key_rotations": 0, "cost_usd": 0.0}
        given |= {"provider": provider, "voice": "v", "voice_substituted": self.substituted}
        return ResultEvent.model_construct(**given)

    def receive(self) -> Iterator[ResultEvent]:
        while self.events:
            yield self.events.pop()

    def fault(self, *, vendor: str, error: str) -> str:
        assert error == "server_error"
        self.down[f"rule-{vendor}"] = vendor
        return f"rule-{vendor}"

    def clear(self, rule: str) -> None:
        self.cleared.append(rule)

    def paid(self) -> dict[str, int]:
        return self.bought


def complaints(day: Day) -> list[str]:
    everything: Any = day
    story = CalendarStory(Console(file=io.StringIO()), everything, everything, everything, "run-1")
    story.tell()
    return story.complaints


def test_a_good_day_has_every_format_and_five_vendors_each_of_which_is_up_again() -> None:
    day = Day()
    assert complaints(day) == []
    assert len(day.bought) == REQUESTS
    assert sorted(day.cleared) == sorted(day.down)


def test_fewer_vendors_are_a_complaint() -> None:
    said = complaints(Day(SPEAKERS[:3]))
    assert said == ["default-4: no result came", "default speech was served by 3 vendors, not by 5"]


def test_a_voice_that_says_nothing_of_its_equivalent_is_a_complaint() -> None:
    assert complaints(Day(substituted=False)) == ["voice-alloy: the event does not say that an equivalent spoke"]


def test_whatever_was_bought_twice_is_a_complaint() -> None:
    said = complaints(Day(times_paid=2))
    assert len(said) == REQUESTS
    assert said[0].startswith("paid 2 times: What is said on the day, format-mp3")
