"""Everything that will be published: drawn before the run, so that the services and the oracle get the same."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from mediarelay.job_records.job_spec import job_key
from mediarelay.providers.registry import ALL_PROVIDERS
from mediarelay.vocabulary.kinds import Kind
from tools.simulation.scenario import Arrivals, Scenario, Service

# The 99th percentile of the normal distribution.
P99: Final = 2.3263478740408408
# Vendors end calls themselves; no call takes longer than so many times the p99.
LONGEST: Final = 2.0
FORMATS: Final = ("mp3", "wav", "opus", "aac", "flac", "pcm")
FILLING: Final = "words that are read aloud or painted, as it comes. "


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        at: When it is published.
        expires_at: Its deadline.
        service: How long the call takes that serves it.
    """

    number: int
    at: float
    expires_at: float
    service: float
    text: str
    tenant: str | None
    body: str

    @property
    def name(self) -> str:
        """Its id."""
        return f"r{self.number}"

    @property
    def key(self) -> str:
        """The key of its job."""
        return job_key(self.name, self.tenant)


def requests_of(scenario: Scenario) -> list[Request]:
    """Return all of them, in the order in which they are published."""
    dice = [Random(f"{scenario.seed}:arrivals:{number}") for number in range(len(scenario.arrivals))]  # noqa: S311 # dice
    drawn = [
        (at, kind)
        for kind, arrivals in enumerate(scenario.arrivals)
        for at in moments(arrivals, scenario.until(arrivals), dice[kind])
    ]
    taking = Random(f"{scenario.seed}:service")  # noqa: S311 # dice of a simulation
    return [
        _request(scenario, number, at, scenario.arrivals[kind], seconds(scenario.service, taking))
        for number, (at, kind) in enumerate(sorted(drawn))
    ]


def moments(arrivals: Arrivals, until: float, dice: Random) -> Iterator[float]:
    """Yield when one is published, in order."""
    at = arrivals.since
    match arrivals.pattern:
        case "poisson":
            while (at := at + dice.expovariate(arrivals.rate)) < until:
                yield at
        case "even":
            for number in range(max(0, math.ceil((until - at) * arrivals.rate - 1e-9))):
                yield at + number / arrivals.rate
        case "bursts":
            every = arrivals.every or (arrivals.size or 1) / arrivals.rate
            size = arrivals.size or max(1, round(arrivals.rate * every))
            for number in range(max(0, math.ceil((until - at) / every - 1e-9))):
                yield from [at + number * every] * size


def seconds(service: Service, dice: Random) -> float:
    """Draw how long a call takes."""
    if service.p99 is None:
        return service.median
    sigma = math.log(service.p99 / service.median) / P99
    return min(service.median * math.exp(dice.gauss(0.0, sigma)), LONGEST * service.p99)


def _input(scenario: Scenario, text: str) -> dict[str, Any]:
    """Return what is asked for: speech in a format that every provider makes, since making another takes real time."""
    if scenario.kind is not Kind.TTS:
        return {"prompt": text}
    made = [ALL_PROVIDERS[name].formats for name in scenario.providers]  # type: ignore[attr-defined] # they speak
    common = (each for each in FORMATS if all(each in formats for formats in made if formats))
    return {"text": text, "format": next(common, FORMATS[0])}


def _request(scenario: Scenario, number: int, at: float, arrivals: Arrivals, service: float) -> Request:
    text = arrivals.text or (FILLING * (arrivals.characters // len(FILLING) + 1))[: arrivals.characters].strip()
    named = {} if arrivals.tenant is None else {"tenant": arrivals.tenant}
    body: dict[str, Any] = {
        "request_id": f"r{number}",
        "kind": scenario.kind,
        "input": _input(scenario, text),
        "providers": scenario.providers,
        "strategy": scenario.strategy,
        "timeout_seconds": arrivals.timeout,
        **named,
    }
    return Request(number, at, at + arrivals.timeout, service, text, arrivals.tenant, json.dumps(body))
