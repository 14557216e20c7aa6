"""The demo on another day: what has ended by then is gone, and speech comes all the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from rich.console import Console

from mediarelay.announce.contract import ResultEvent
from mediarelay.providers.catalogue import models
from mediarelay.providers.registry import by_kind, by_name
from mediarelay.vocabulary.kinds import JobStatus, Kind
from mediarelay.voices.parsing import shipped_book
from tools.local.demo.subscriber import Subscriber
from tools.local.stack import LocalStack
from tools.simulator.client import SimulatorClient

# How many vendors must be able to serve speech for which nothing is named.
VENDORS_IN_TURN: Final = 5
FORMATS: Final = ("mp3", "wav", "opus", "aac", "flac", "pcm")
NAMED: Final = "alloy"
# Ends a wait for what never comes; a busy machine may take minutes over the first start of a function.
MAX_WAIT_SECONDS: Final = 600.0


def end_by(day: date, simulator: SimulatorClient) -> list[str]:
    """Take from the simulated vendors the models and voices that have ended by the day. Returns what is gone."""
    gone = []
    for provider in by_kind(Kind.TTS):
        if all(model.retired(day) for model in models(provider.name).values()):
            simulator.fault(vendor=provider.vendor, operation="speech", error="not_found")
            gone.append(f"every model of {provider.name}")
        ends = [voice.retires for voice in shipped_book().voices.get(provider.name, ())]
        if ends and all(end and day >= end for end in ends):
            simulator.voices(vendor=provider.vendor, premade=False)
            gone.append(f"every premade voice of {provider.name}")
    return gone


@dataclass
class CalendarStory:
    """What is published on the day, and what came of it; `complaints` has a sentence for each thing that went wrong."""

    console: Console
    stack: LocalStack
    simulator: SimulatorClient
    subscriber: Subscriber
    run: str
    complaints: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def tell(self) -> None:
        """Every format, a voice that is gone, and one vendor after the other taken down."""
        for name in FORMATS:
            self._serve(f"format-{name}", {"format": name}, _media)
        named = self._serve(f"voice-{NAMED}", {"voice": NAMED}, lambda event: f"spoken by {event.voice}")
        if named is not None and not named.voice_substituted:
            self.complaints.append(f"voice-{NAMED}: the event does not say that an equivalent spoke")
        self._in_turn()
        paid = self.simulator.paid()
        self.complaints += [f"paid {paid[text]} times: {text}" for text in self.texts if paid.get(text, 0) > 1]

    def _in_turn(self) -> None:
        served: dict[str, str] = {}
        while len(served) < VENDORS_IN_TURN:
            event = self._serve(f"default-{len(served) + 1}", {}, lambda event: f"spoken by {event.voice}")
            if event is None or event.provider is None:
                break
            vendor = by_name(event.provider).vendor
            served[vendor] = self.simulator.fault(vendor=vendor, error="server_error")
            self._say(f"[red]{vendor} answers 500 from now on[/red]")
        for rule in served.values():
            self.simulator.clear(rule)
        if len(served) < VENDORS_IN_TURN:
            self.complaints.append(f"default speech was served by {len(served)} vendors, not by {VENDORS_IN_TURN}")

    def _serve(self, name: str, asked: Mapping[str, Any], told: Callable[[ResultEvent], str]) -> ResultEvent | None:
        """Publish one request for speech and wait for its result. Returns it, or None when it did not succeed."""
        text = f"What is said on the day, {name} ({self.run})"
        request = {"request_id": f"{self.run}-{name}", "kind": "tts", "input": {"text": text, **asked}}
        self.texts.append(text)
        queue = self.stack.outputs["RequestQueueUrl"]
        self.stack.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(request))
        event = next((each for each in self._results() if each.request_id == request["request_id"]), None)
        if event is None or event.status is not JobStatus.SUCCEEDED:
            why = event.error.message if event and event.error else "no result came"
            self.complaints.append(f"{name}: {why}")
            return None
        self._say(f"[bold]{name}[/bold] served by [green]{event.provider}[/green], {told(event)}")
        return event

    def _results(self) -> Iterator[ResultEvent]:
        ends_at = time.monotonic() + MAX_WAIT_SECONDS
        while time.monotonic() < ends_at:
            yield from self.subscriber.receive()

    def _say(self, text: str) -> None:
        self.console.print(f"  [dim]{time.monotonic() - self.began:5.1f} s[/dim]  {text}")


def _media(event: ResultEvent) -> str:
    (output,) = event.outputs
    return f"{output.content_type}, {output.bytes} bytes"
