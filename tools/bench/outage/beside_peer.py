"""The same outage for LiteLLM's Router, on real processes against the simulator, and for our services in virtual time.

Three providers, 20 requests a second, a service time of 50 ms; after some healthy traffic one answers 500. Counted are
the calls that begin to reach it in the 20 seconds after its first fault has come back.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tools.bench.result import Measurement
from tools.local.project import ROOT, VENVS
from tools.simulation.report import report_of
from tools.simulation.scenario import Scenario
from tools.simulation.world import Run
from tools.simulator.process import SimulatorProcess
from tools.simulator.state.accounts import key_id

PEER_PYTHON: Final = VENVS / "litellm" / "bin" / "python"
KEYS: Final = ("outage-key-1", "outage-key-2", "outage-key-3")
PER_SECOND: Final = 20.0
SERVICE_SECONDS: Final = 0.05
HEALTHY_SECONDS: Final = 10.0
WINDOW_SECONDS: Final = 20.0
RUN_SECONDS: Final = HEALTHY_SECONDS + WINDOW_SECONDS + 2
SEEDS: Final = range(5)
SETTINGS: Final = ("default", "ejecting")
WORDS: Final = {"default": "default settings", "ejecting": "three failures a minute eject, 30 s cooldown"}
# Workers, and the calls that are promised at most; the bar is that number over the reference.
PROMISED: Final = {1: 3, 4: 6}
BROKEN: Final = "openai-tts"
_POOL: Final = {"accounts": [{"repeat": 1, "rpm": None}], "vendor": {"limit": "none"}}
OURS: Final = {
    "seconds": RUN_SECONDS,
    "providers": [BROKEN, "elevenlabs-tts", "deepgram-tts"],
    "pools": {"openai": _POOL, "elevenlabs": _POOL, "deepgram": _POOL},
    "service": {"median": SERVICE_SECONDS},
    "arrivals": [{"rate": PER_SECOND, "pattern": "even"}],
    "faults": [{"from": HEALTHY_SECONDS, "provider": BROKEN, "answer": "500"}],
}


@dataclass(frozen=True)
class Outcome:
    """Of one outage: calls that still reached the provider, and the share of requests that failed to their caller."""

    calls: int
    failed: float


def measure() -> Iterator[Measurement]:
    """Calls that still reach it: ours beside LiteLLM with each of its settings, by one worker and by four."""
    for processes, reservation_of in PROMISED.items():
        ours = max((_ours(processes, seed) for seed in SEEDS), key=lambda outcome: outcome.calls)
        for settings in SETTINGS:
            peer = _peer(settings, processes)
            reference = (
                f"LiteLLM's Router, {WORDS[settings]}, {processes} of either; it failed {peer.failed:.1%} of the "
                f"requests to their callers, ours {ours.failed:.1%}; at most {reservation_of} are promised"
            )
            yield Measurement(
                name=f"outage-calls-{settings}-{processes}",
                value=ours.calls,
                unit="calls in the 20 s after the first fault, worst of five dice",
                reference=reference,
                reference_value=peer.calls,
                bar=reservation_of / peer.calls,
            )


def _ours(workers: int, seed: int) -> Outcome:
    """The services that ship, in virtual time: repeatable by seed."""
    # Every request asks the one that breaks first, which is harder than LiteLLM's part: it draws evenly.
    run = Run(Scenario.model_validate({**OURS, "workers": workers, "seed": seed}))
    run.run()
    made = [call for call in run.wire.calls if call.provider == BROKEN and call.at >= HEALTHY_SECONDS]
    known = min(call.ended for call in made)
    reached = sum(known <= call.at < known + WINDOW_SECONDS for call in made)
    report = report_of(run)
    return Outcome(reached, report["failed"] / report["published"])


def _peer(settings: str, processes: int) -> Outcome:
    accounts = {key: {"keys": [key]} for key in KEYS}
    latency = {"*": {"*": {"kind": "fixed", "seconds": SERVICE_SECONDS}}}
    with SimulatorProcess(config={"vendors": {"openai": accounts}, "latency": latency}) as simulator:
        url = simulator.urls["OPENAI_BASE_URL"]
        running = [_started(url, settings, processes, number) for number in range(processes)]
        for process in running:
            _expect_ready(process)
        for process in running:
            process.stdin.write("go\n")  # type: ignore[union-attr] # a pipe was asked for
            process.stdin.flush()  # type: ignore[union-attr] # as above
        time.sleep(HEALTHY_SECONDS)
        simulator.client.fault(vendor="openai", operation="speech", error="server_error", key=KEYS[0])
        reports = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
        reached = _reached(simulator.client.calls())
    made, failed = (sum(report[name] for report in reports) for name in ("made", "failed"))
    return Outcome(reached, failed / made)


def _started(url: str, settings: str, processes: int, number: int) -> subprocess.Popen[str]:
    arguments = [url, settings, str(PER_SECOND / processes), str(RUN_SECONDS), f"process-{number}"]
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # prices from its package: no network in a benchmark
    }
    return subprocess.Popen(  # noqa: S603 # ours
        [str(PEER_PYTHON), "-m", "tools.bench.outage.peer", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _expect_ready(process: subprocess.Popen[str]) -> None:
    """Imports take seconds; what else it prints meanwhile is passed over."""
    for line in process.stdout or ():
        if line.strip() == "ready":
            return
    raise RuntimeError(f"LiteLLM's process ended with {process.wait()}")


def _reached(calls: Sequence[dict[str, Any]]) -> int:
    mine = [call for call in calls if call["key_id"] == key_id(KEYS[0])]
    known = min(call["ended"] for call in mine if call["outcome"] == "server_error")
    return sum(known <= call["began"] < known + WINDOW_SECONDS for call in mine)
