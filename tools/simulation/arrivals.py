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
from mediarelay.request.parsing import parse_message
from mediarelay.vocabulary.errors import RequestRejected
from mediarelay.vocabulary.kinds import Kind
from tools.simulation.scenario import Arrivals, Scenario, Service, UnusableScenario
from tools.simulator.media.tone import FULL_TICKS

# The 99th percentile of the normal distribution.
P99: Final = 2.3263478740408408
# Vendors end calls themselves; no call takes longer than so many times the p99.
LONGEST: Final = 2.0
DAY_SECONDS: Final = 86_400.0
# The smallest first: what is said matters to nobody. Of Opus and FLAC the simulator has some seconds at most, and the
# parts of a text that no model takes at once are joined in real time, which WAV needs least of.
FORMATS: Final = ("opus", "flac", "mp3", "aac", "wav", "pcm")
SHORT: Final = FULL_TICKS
IN_ONE_CALL: Final = 4000
LONG_FORMATS: Final = (("mp3", "aac", "wav", "pcm"), ("wav", "pcm", "mp3", "aac"))
# They make no music; whoever stands beside them in a scenario makes sound effects as well.
EFFECTS_ALONE: Final = frozenset({"fal-sound-effects"})
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
    """Return all of them, in the order in which they are published.

    Raises:
        UnusableScenario: The queue would refuse some of them.
    """
    dice = [Random(f"{scenario.seed}:arrivals:{number}") for number in range(len(scenario.arrivals))]  # noqa: S311 # dice
    drawn = [
        (at, kind)
        for kind, arrivals in enumerate(scenario.arrivals)
        for at in moments(arrivals, scenario.until(arrivals), dice[kind])
    ]
    taking = Random(f"{scenario.seed}:service")  # noqa: S311 # dice of a simulation
    requests = [
        _request(scenario, number, at, scenario.arrivals[kind], seconds(scenario.service, taking, at))
        for number, (at, kind) in enumerate(sorted(drawn))
    ]
    for kind in range(len(scenario.arrivals)):
        _expect_allowed(scenario, kind)
    return requests


def moments(arrivals: Arrivals, until: float, dice: Random) -> Iterator[float]:
    """Yield when one is published, in order."""
    at = arrivals.since
    match arrivals.pattern:
        case "poisson":
            while (at := at + dice.expovariate(arrivals.rate / (arrivals.size or 1))) < until:
                yield from [at] * (arrivals.size or 1)
        case "even":
            for number in range(max(0, math.ceil((until - at) * arrivals.rate - 1e-9))):
                yield at + number / arrivals.rate
        case "bursts":
            every = arrivals.every or (arrivals.size or 1) / arrivals.rate
            size = arrivals.size or max(1, round(arrivals.rate * every))
            for number in range(max(0, math.ceil((until - at) / every - 1e-9))):
                yield from [at + number * every] * size


def seconds(service: Service, dice: Random, at: float = 0.0) -> float:
    """Draw how long a call takes."""
    swell = 1.0
    if service.noon is not None:
        swell += (service.noon / service.median - 1.0) * (1.0 - math.cos(math.tau * at / DAY_SECONDS)) / 2.0
    if service.p99 is None:
        return service.median * swell
    sigma = math.log(service.p99 / service.median) / P99
    return min(service.median * math.exp(dice.gauss(0.0, sigma)), LONGEST * service.p99) * swell


def _expect_allowed(scenario: Scenario, kind: int) -> None:
    """Raise `UnusableScenario` unless a publisher may ask for what these arrivals ask."""
    try:
        parse_message(_request(scenario, 0, 0.0, scenario.arrivals[kind], 0.0).body)
    except RequestRejected as error:
        raise UnusableScenario(f"arrivals.{kind}: no request is like this: {error}") from None


def _input(scenario: Scenario, text: str) -> dict[str, Any]:
    """Return what is asked for: speech in a format that every provider makes, since making another takes real time."""
    if scenario.kind is Kind.AUDIO:
        return {"prompt": text, "type": "sfx" if EFFECTS_ALONE.intersection(scenario.providers) else "music"}
    if scenario.kind is not Kind.TTS:
        return {"prompt": text}
    made = [ALL_PROVIDERS[name].formats for name in scenario.providers]  # type: ignore[attr-defined] # they speak
    whole = FORMATS if len(text) <= SHORT else LONG_FORMATS[len(text) > IN_ONE_CALL]
    common = (each for each in whole if all(each in formats for formats in made if formats))
    return {"text": text, "format": next(common, whole[0])}


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
