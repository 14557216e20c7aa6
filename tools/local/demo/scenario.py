"""What the demo publishes, what it breaks on purpose, and how each request is meant to end."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.registry import VENDORS, by_kind, by_name
from mediarelay.vocabulary.kinds import Kind
from tools.local.project import ROOT

REQUESTS = ROOT / "events" / "requests"
BRIEF, LONG = ("tts-", "image-"), ("video-", "audio-")  # how the names of the ready-made requests begin
ROUNDS = (BRIEF + LONG, BRIEF)


@dataclass(frozen=True)
class Case:
    """One message to publish, or several copies of it.

    Attributes:
        name: What the closing table calls it.
        body: The message as published.
        expected: The status each of its results must have.
        results: How many results it must have: one, or one per provider.
        copies: How often it is published.
        fault: A simulator rule that concerns this request alone.
        calls: The least number of calls its result must have taken.
        rotations: The least number of key rotations its result must show.
        provider: Who must have served it; None for whoever.
    """

    name: str
    body: str
    expected: str = "succeeded"
    results: int = 1
    copies: int = 1
    fault: Mapping[str, Any] | None = None
    calls: int = 0
    rotations: int = 0
    provider: str | None = None
    story: str = ""


@dataclass(frozen=True)
class Scenario:
    """All cases; the ids in them are fresh, so that a demo can run beside another."""

    run: str
    cases: Sequence[Case] = field(default_factory=list)

    @property
    def results(self) -> int:
        """How many results there must be."""
        return sum(case.results for case in self.cases)

    @property
    def messages(self) -> int:
        """How many messages are published."""
        return sum(case.copies for case in self.cases)


def scenario(run: str, *, simulated: bool, vendors: Collection[str]) -> Scenario:
    """The demo's requests; unless *simulated* only those that need nobody to fail on purpose, and cost little.

    A ready-made request to a provider whose vendor is none of *vendors*, those with keys, is left out.
    """
    rounds = ROUNDS if simulated else (BRIEF, BRIEF)
    cases = [*_good(run, rounds, vendors), *_bad(run), _duplicate(run)]
    if simulated:
        cases += [*_limited(run, vendors), _still_made(run)]
        cases += [_first_provider_down(run), _clip_fails(run), _answer_lost(run)]
    return Scenario(run, cases)


def _good(run: str, rounds: Sequence[tuple[str, ...]], vendors: Collection[str]) -> Iterator[Case]:
    for number, kinds in enumerate(rounds, start=1):
        for path in sorted(REQUESTS.glob("*.json")):
            if path.name.startswith(kinds):
                name = f"{path.stem}-{number}"
                request = _with_id(path, f"{run}-{name}")
                if all(by_name(provider).vendor in vendors for provider in request.get("providers", ())):
                    yield Case(name, json.dumps(request), results=_results(request))


def _bad(run: str) -> Iterator[Case]:
    for path in sorted(REQUESTS.glob("bad-*")):
        text = path.read_text(encoding="utf-8")
        try:
            body = json.dumps({**json.loads(text), "request_id": f"{run}-{path.stem}"})
        except ValueError:
            body = text
        yield Case(path.stem, body, expected="rejected", story="malformed")


def _duplicate(run: str) -> Case:
    request = {"request_id": f"{run}-sent-twice", "kind": "tts", "input": {"text": f"sent twice, paid once ({run})"}}
    return Case("sent-twice", json.dumps(request), copies=2, story="sent twice, served once")


def _limited(run: str, vendors: Collection[str]) -> Iterator[Case]:
    """Every provider of speech, refused once for the rate: another key is taken; with a role alone, it waits."""
    for provider in by_kind(Kind.TTS):
        if provider.vendor not in vendors:
            continue
        has_keys = isinstance(VENDORS[provider.vendor].credentials, ApiKeys)
        text = f"{provider.name} refuses once for the rate ({run})"
        request = {
            "request_id": f"{run}-{provider.name}-limited",
            "kind": "tts",
            "input": {"text": text},
            "providers": [provider.name],
        }
        yield Case(
            f"{provider.name}-limited",
            json.dumps(request),
            fault={"vendor": provider.vendor, "error": "rate_limited", "match": text, "count": 1},
            calls=2,
            rotations=1 if has_keys else 0,
            provider=provider.name,
            story="429 on the first key: rotated in the same invocation"
            if has_keys
            else "throttled: asked again later",
        )


def _still_made(run: str) -> Case:
    text = f"the vendor takes longer than it holds its answer ({run})"
    request = {
        "request_id": f"{run}-still-made",
        "kind": "tts",
        "input": {"text": text},
        "providers": ["replicate-tts"],
    }
    slow = {"vendor": "replicate", "operation": "speech_run", "kind": "latency", "seconds": 9, "match": text}
    return Case(
        "still-made",
        json.dumps(request),
        fault=slow,
        provider="replicate-tts",
        story="answered before it was made: asked for by its id, bought once",
    )


def _first_provider_down(run: str) -> Case:
    prompt = f"the first provider is down ({run})"
    request = {
        "request_id": f"{run}-first-provider-down",
        "kind": "image",
        "input": {"prompt": prompt},
        "providers": ["openai-image", "fal-flux"],
        "strategy": "ordered",
    }
    fault = {"vendor": "openai", "error": "overloaded", "match": prompt}
    return Case(
        "first-provider-down",
        json.dumps(request),
        fault=fault,
        provider="fal-flux",
        story="503 from the first provider: fell back",
    )


def _clip_fails(run: str) -> Case:
    prompt = f"the first provider loses the clip ({run})"
    request = {
        "request_id": f"{run}-clip-fails",
        "kind": "video",
        "input": {"prompt": prompt},
        "providers": ["kling-video", "fal-kling"],
        "strategy": "ordered",
    }
    fault = {"vendor": "kling", "operation": "task_run", "error": "server_error", "match": prompt}
    return Case(
        "clip-fails",
        json.dumps(request),
        fault=fault,
        provider="fal-kling",
        story="the job failed at the first provider after minutes: fell back, and only the second is paid",
    )


def _answer_lost(run: str) -> Case:
    prompt = f"the answer to the submit is lost ({run})"
    request = {
        "request_id": f"{run}-answer-lost",
        "kind": "video",
        "input": {"prompt": prompt},
        "providers": ["kling-video"],
    }
    fault = {"vendor": "kling", "operation": "submit", "kind": "reset_after", "match": prompt, "count": 1}
    return Case(
        "answer-lost",
        json.dumps(request),
        fault=fault,
        provider="kling-video",
        story="accepted, but the answer was lost: looked up by our own id, bought once",
    )


def _with_id(path: Path, request_id: str) -> dict[str, Any]:
    """The request under an id of this run; its text is made its own, so that purchases can be told apart."""
    request: dict[str, Any] = {**json.loads(path.read_text(encoding="utf-8")), "request_id": request_id}
    asked = "text" if request["kind"] == "tts" else "prompt"
    return {**request, "input": {**request["input"], asked: f"{request['input'][asked]} ({request_id})"}}


def _results(request: Mapping[str, Any]) -> int:
    """Strategy `all` over named providers yields one result each."""
    return len(request["providers"]) if request.get("strategy") == "all" else 1
